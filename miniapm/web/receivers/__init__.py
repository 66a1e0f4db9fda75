"""Foreign senders, a file each: their payload becomes our deploy, the same calls from there on."""
