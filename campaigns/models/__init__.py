from campaigns.models.campaign import AudienceEntry, Campaign, Schedule, Variant
from campaigns.models.run import Run, SkippedRecipient
from campaigns.models.template import MarketingTemplate

__all__ = ["AudienceEntry", "Campaign", "MarketingTemplate", "Run", "Schedule", "SkippedRecipient", "Variant"]
