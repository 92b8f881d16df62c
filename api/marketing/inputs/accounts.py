"""Bodies of registering and logging in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from api.bodies import body_field
from api.body_types import Text
from api.marketing.inputs.form import EMAIL, Examples, Form

_PASSWORD: Final = Text(1, 512)


@dataclass(frozen=True, slots=True)
class RegisterInput(Form):
    component: ClassVar[str] = "RegisterInput"
    examples: ClassVar[Examples] = {
        "A person": {
            "name": "John Doe",
            "email": "john@example.com",
            "password": "password123",
            "password_confirmation": "password123",
        }
    }

    name: str = body_field("name", Text(1, 100, strip=True), help="Yours; the organisation is called so too.")
    email: str = body_field("email", EMAIL)
    password: str = body_field("password", _PASSWORD, help="At least 8 characters.")
    password_confirmation: str = body_field("password_confirmation", _PASSWORD)
    country: str | None = body_field(
        "country", Text(2, 2), default=None, help="Whose numbers are read without a country code, such as GA."
    )


@dataclass(frozen=True, slots=True)
class LoginInput(Form):
    component: ClassVar[str] = "LoginInput"
    examples: ClassVar[Examples] = {"A person": {"email": "john@example.com", "password": "password123"}}

    email: str = body_field("email", EMAIL)
    password: str = body_field("password", _PASSWORD)
    organization: str | None = body_field(
        "organization", Text(1, 63, strip=True), default=None, help="Short name, for members of several organisations."
    )
