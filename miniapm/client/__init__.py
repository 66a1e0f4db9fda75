"""What sends deploys to a server: standard library only, and light to import."""
