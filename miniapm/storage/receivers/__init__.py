"""Foreign senders: addresses for those with webhooks of their own and what came to them, and what
clients of other services keep here besides deploys."""
