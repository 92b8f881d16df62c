"""Delivering events: one lane per endpoint, like the engine's one lane per channel."""
