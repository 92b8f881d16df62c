"""The engine: one lane per channel, one owner per lane. `docs/engine.md` tells the whole story."""
