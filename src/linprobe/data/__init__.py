"""From data to examples: what is read, which of it trains, and how it is prepared."""
