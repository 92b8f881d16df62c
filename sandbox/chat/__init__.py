"""Messenger and Instagram: pages and accounts, their send API and their webhooks."""
