"""What the delivery metrics and the environments rest on, read from deploys and commits."""
