"""Webhooks to the platform: Meta's encoding and signature, batches, retries, and the timing of statuses."""
