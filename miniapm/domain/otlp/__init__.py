"""OpenTelemetry's protocol: request bodies to batches of spans, and the answers that it wants.

https://opentelemetry.io/docs/specs/otlp/, messages as in opentelemetry-proto 1.11.
"""
