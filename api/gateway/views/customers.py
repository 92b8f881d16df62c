"""GET and POST /customers."""

from __future__ import annotations

from django.http import HttpResponse

from api.bodies import FieldProblem
from api.body_types import uuid_read
from api.gateway.documents import operation
from api.gateway.endpoint import Call, Endpoint, json_response
from api.gateway.inputs import CustomerInput, CustomersQuery
from api.gateway.outputs.customers import CustomerCreated, CustomerList, CustomerRow
from api.gateway.pagination import cursor_read, cursor_write
from api.problems import Problem
from messaging.models import Customer
from messaging.services.customers import customer_create


class CustomersView(Endpoint):
    scope = "customers"

    @operation(
        id="createCustomer",
        tag="Customers",
        scope=scope,
        summary="Create a customer",
        description="A business that you serve. Its channels belong to it, and its id comes with every event of them.",
        body=CustomerInput,
        answer=CustomerCreated,
        done="The customer.",
        status=201,
        errors=("invalid_email", "external_id_taken"),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(CustomerInput)
        customer = customer_create(name=given.name, email=given.email or "", external_id=given.external_id)
        return json_response(CustomerCreated(success=True, customer=_output(customer)).json(), 201)

    @operation(
        id="listCustomers",
        tag="Customers",
        scope=scope,
        summary="List the customers",
        description="The newest first, page by page.",
        query=CustomersQuery,
        answer=CustomerList,
        done="A page of customers.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(CustomersQuery)
        before = cursor_read(asked.cursor)
        customers = Customer.objects.order_by("-pk")
        if before is not None:
            customers = customers.filter(pk__lt=before)
        if asked.external_id is not None:
            customers = customers.filter(external_id=asked.external_id)
        if asked.email is not None:
            customers = customers.filter(email__iexact=asked.email)
        if asked.name is not None:
            customers = customers.filter(name__istartswith=asked.name)
        rows = list(customers[: asked.limit + 1])
        page = rows[: asked.limit]
        more = cursor_write(page[-1].pk) if len(rows) > asked.limit else None
        answer = CustomerList(success=True, customers=[_output(row) for row in page], nextCursor=more)
        return json_response(answer.json())


def customer_of(public_id: str) -> Customer:
    """The customer with this id. Raises `Problem` (404)."""
    uuid = uuid_read(public_id)
    customer = Customer.objects.filter(uuid=uuid).first() if uuid else None
    if customer is None:
        text = "There is no customer with this id."
        raise Problem("customer_not_found", text, [FieldProblem("customerId", "customer_not_found", text)])
    return customer


def _output(customer: Customer) -> CustomerRow:
    return CustomerRow(
        id=str(customer.uuid),
        name=customer.name,
        email=customer.email,
        externalId=customer.external_id,
        createdAt=customer.created_at,
    )
