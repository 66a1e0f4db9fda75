"""The SQL of impact: the past of endpoints (replays, swings), verdicts, and what people say."""
