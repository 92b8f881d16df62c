"""Meta's Graph API for WhatsApp: messages, templates, media, accounts, tokens."""
