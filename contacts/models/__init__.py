from contacts.models.contact import Contact, Identity, ServiceWindow
from contacts.models.contact_import import ContactImport, ImportMapping, ImportProblem
from contacts.models.contact_job import ContactJob
from contacts.models.custom_field import CustomField
from contacts.models.group import Group, GroupMember
from contacts.models.opt_out_policy import OptOutPolicy
from contacts.models.segment import Segment
from contacts.models.suppression import Suppression

__all__ = [
    "Contact",
    "ContactImport",
    "ContactJob",
    "CustomField",
    "Group",
    "GroupMember",
    "Identity",
    "ImportMapping",
    "ImportProblem",
    "OptOutPolicy",
    "Segment",
    "ServiceWindow",
    "Suppression",
]
