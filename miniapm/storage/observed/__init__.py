"""Deploys that telemetry shows: each release is told to the deploy that it is."""
