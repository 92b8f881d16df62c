from campaigns.admin.campaigns import CampaignAdmin
from campaigns.admin.text_templates import MarketingTemplateAdmin

__all__ = ["CampaignAdmin", "MarketingTemplateAdmin"]
