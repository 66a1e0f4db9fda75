"""What the webhooks of foreign senders say, in our words."""
