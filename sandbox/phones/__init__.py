"""The simulated phones: their conversations, what they show, and what their owners answer."""
