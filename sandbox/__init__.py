"""A stand-alone server that plays WhatsApp's Cloud Graph API, with simulated phones to look at. See README.md."""
