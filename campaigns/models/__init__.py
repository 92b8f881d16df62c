from campaigns.models.campaign import AudienceEntry, Campaign, Schedule, Variant
from campaigns.models.run import Run, SkippedRecipient

__all__ = ["AudienceEntry", "Campaign", "Run", "Schedule", "SkippedRecipient", "Variant"]
