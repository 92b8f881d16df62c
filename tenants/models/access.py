"""People: global users with one membership per organisation, invitations, and the record of support access."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth import get_backends
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants.fields import uuid7
from tenants.models.organization import Organization


class UserManager(BaseUserManager["User"]):
    """Finds users by e-mail address whatever its case."""

    use_in_migrations = False

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        """A user with a normalised address; without a password the account cannot log in by password."""
        user = self.model(email=self.normalize_email(email).strip().lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:
        """A super-admin: works on the public host only."""
        return self.create_user(email, password, is_superuser=True, **extra)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. What they may do is decided per organisation by a Membership; super-admins work on the public host."""

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ("email",)
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    @property
    def is_staff(self) -> bool:
        """Whether the admin lets this person in at all; each site then asks for the membership or the super-admin."""
        return self.is_active

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Ask the backends even for super-admins: on an organisation's host they have rights only through support."""
        return any(backend.has_perm(self, perm, obj) for backend in get_backends() if hasattr(backend, "has_perm"))

    def has_module_perms(self, app_label: str) -> bool:
        return any(
            backend.has_module_perms(self, app_label)
            for backend in get_backends()
            if hasattr(backend, "has_module_perms")
        )

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email


class Membership(models.Model):
    """A user's role in one organisation."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        ADMIN = "admin", _("Administrator")
        MANAGER = "manager", _("Manager")
        SENDER = "sender", _("Sender")
        VIEWER = "viewer", _("Viewer")

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="memberships", verbose_name=_("organisation")
    )
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.VIEWER)
    is_suspended = models.BooleanField(_("suspended"), default=False)
    # The permissions of the marketing API (`tenants.roles.PERMISSIONS`); null: those of the role.
    permissions = ArrayField(models.CharField(max_length=20), verbose_name=_("permissions"), null=True, blank=True)
    credit_limit = models.DecimalField(_("credit limit"), max_digits=14, decimal_places=4, null=True, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ("user__email",)
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["user", "organization"], name="membership_once_per_organization")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class AccessToken(models.Model):
    """A login of a person to the marketing API: `<id>|<secret>`. It acts under one membership and ends with it."""

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="tokens", verbose_name=_("member"))
    secret_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.pk}|…"


class Invitation(models.Model):
    """An offer of a membership, sent by e-mail; the token is stored as a hash and works once."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="invitations", verbose_name=_("organisation")
    )
    email = models.EmailField(_("e-mail"))
    role = models.CharField(_("role"), max_length=10, choices=Membership.Role.choices, default=Membership.Role.VIEWER)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", editable=False)
    created_at = models.DateTimeField(_("sent"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.email


class SupportAccess(models.Model):
    """A super-admin's visit to an organisation's admin ("enter as"): who, where, why, and when."""

    user = models.ForeignKey(User, models.PROTECT, related_name="support_accesses", verbose_name=_("super-admin"))
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="support_accesses", verbose_name=_("organisation")
    )
    reason = models.CharField(_("reason"), max_length=200)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    created_at = models.DateTimeField(_("asked"), auto_now_add=True)
    entered_at = models.DateTimeField(_("entered"), null=True, blank=True)
    expires_at = models.DateTimeField(_("ends"))

    class Meta:
        verbose_name = _("support access")
        verbose_name_plural = _("support accesses")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.user} → {self.organization}"
