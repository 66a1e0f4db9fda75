"""What clients of other services keep here besides deploys."""
