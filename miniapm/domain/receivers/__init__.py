"""What foreign senders say, by webhooks or as clients of other services, in our words."""
