"""Django's admin, for superusers: customers, users and memberships; the rest is for looking at.

It works as claimdrift_platform (api.middleware.AdminMiddleware). What that role may not do, such
as writing a claim, no superuser can do here either.
"""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.paginator import Paginator
from django.db import DatabaseError, models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.functional import cached_property
from procrastinate.contrib.django.models import ProcrastinateJob

from core.errors import explain
from core.models import (
    Alert,
    AlertJudgment,
    AlertRule,
    AlertTransition,
    ApiToken,
    AuditEntry,
    Claim,
    CptGroup,
    CptMapping,
    Customer,
    DriftEvent,
    DriftMeasurement,
    DriftRun,
    DriftSettings,
    ErasureReceipt,
    Membership,
    Payer,
    PayerAlias,
    Upload,
    UploadError,
    User,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    WebhookSecret,
)

MOST_ROWS: Final = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than MOST_ROWS: a filter finds what lies behind, a page number doesn't."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:MOST_ROWS].count())


class Lists(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lists that stay fast however many rows there are."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-id",)
    # Most columns have no index that a list over all customers could be sorted by.
    sortable_by = ()

    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        references = {
            field.name
            for field in self.model._meta.concrete_fields
            if isinstance(field, models.ForeignKey)
        }
        return [str(name) for name in self.get_list_display(request) if name in references]


class ReadOnly(Lists):
    """Looked at, not touched."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Edited(Lists):
    """What may be changed here; a refusal of the database's comes back as a message."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        return self._explained(
            request,
            lambda: super(Edited, self).changeform_view(
                request, object_id, form_url, extra_context
            ),
        )

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        return self._explained(
            request, lambda: super(Edited, self).delete_view(request, object_id, extra_context)
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        return self._explained(
            request, lambda: super(Edited, self).changelist_view(request, extra_context)
        )

    def _explained(
        self, request: HttpRequest, view: Callable[[], HttpResponse]
    ) -> HttpResponseBase:
        try:
            with transaction.atomic():
                return view()
        except DatabaseError as error:
            self.message_user(request, explain(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(Customer)
class CustomerAdmin(Edited):
    list_display = ("slug", "name", "time_zone", "status", "created_at")
    list_filter = ("status",)
    search_fields = ("slug", "name")
    fields = ("slug", "name", "time_zone", "status")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    # Erasing a customer is maintenance.erase_customer.
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "name")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


class UserForm(UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email", "name", "password", "is_active", "is_superuser")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


@admin.register(User)
class UserAdmin(Edited, DjangoUserAdmin):  # type: ignore[type-arg]
    form = UserForm
    add_form = NewUserForm
    list_display = ("email", "name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    filter_horizontal = ()
    ordering = ("email",)
    readonly_fields = ("last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        (None, {"fields": ("is_active", "is_superuser")}),
        (None, {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = (
        (None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),
    )

    # A user is disabled: the audit trail and judgments go on naming them.
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Membership)
class MembershipAdmin(Edited):
    list_display = ("user", "customer", "role", "created_at")
    list_filter = ("role",)
    search_fields = ("user__email", "customer__slug")
    fields = ("user", "customer", "role")
    autocomplete_fields = ("user", "customer")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "customer") if obj else ()


# Model: the columns of its list. UploadChunk (bytes) and LoginThrottle (closed to everybody) are
# left out.
SHOWN: Final[dict[type[models.Model], tuple[str, ...]]] = {
    ApiToken: ("prefix", "name", "user", "customer", "scope", "expires_at", "last_used_at"),
    AuditEntry: ("at", "customer", "table_name", "row_id", "operation", "actor", "login"),
    Payer: ("name", "customer"),
    PayerAlias: ("alias", "payer", "customer"),
    CptGroup: ("name", "customer"),
    CptMapping: ("cpt", "cpt_group", "customer"),
    Upload: ("created_at", "customer", "filename", "status", "rows_total", "rows_rejected"),
    UploadError: ("upload", "customer", "line", "column", "message"),
    Claim: (
        "source",
        "claim_number",
        "line_number",
        "customer",
        "payer",
        "cpt",
        "outcome",
        "decided_date",
    ),
    DriftSettings: ("customer", "method", "baseline_days", "min_volume", "false_discovery_rate"),
    DriftRun: ("customer", "as_of", "trigger", "status", "events_found", "finished_at"),
    DriftMeasurement: ("customer", "run", "payer", "cpt_group", "metric", "sufficient", "drifted"),
    DriftEvent: ("customer", "payer", "cpt_group", "metric", "direction", "current_end"),
    AlertRule: ("name", "customer", "metric", "direction", "level", "enabled"),
    Alert: ("customer", "payer", "cpt_group", "metric", "status", "level", "opened_as_of"),
    AlertTransition: ("at", "customer", "alert", "version", "kind", "actor"),
    AlertJudgment: ("customer", "alert", "user", "verdict"),
    WebhookEndpoint: ("url", "customer", "status", "failing_since", "last_success_at"),
    WebhookSecret: ("endpoint", "customer", "key_id", "created_at", "expires_at"),
    WebhookEvent: ("occurred_at", "customer", "type", "message_id"),
    WebhookDelivery: ("created_at", "customer", "endpoint", "status", "attempts", "last_error"),
    WebhookAttempt: ("started_at", "customer", "delivery", "number", "status_code", "error"),
    ErasureReceipt: ("erased_customer_id", "started_at", "finished_at"),
    ProcrastinateJob: ("id", "task_name", "queue_name", "status", "attempts", "scheduled_at"),
    LogEntry: ("action_time", "user", "content_type", "object_repr", "action_flag"),
}
NEVER_SHOWN: Final = {"digest", "ciphertext"}
BY_CUSTOMER: Final = ("customer",)

admin.site.unregister([Group, ProcrastinateJob])
for shown, columns in SHOWN.items():
    names = {field.name for field in shown._meta.concrete_fields}
    admin.site.register(
        shown,
        ReadOnly,
        list_display=columns,
        list_filter=BY_CUSTOMER if "customer" in names else (),
        exclude=sorted(names & NEVER_SHOWN),
    )
