"""Every way in which the real service is known to fail, by name.

Bodies and headers are those of OpenRouter's OpenAPI, its documentation, and bodies captured in public issue
threads (openclaude #936, gptme #1449, cc-switch #995, cline #5449, forall #76, yolop #701). `user_id` stands
in some of them as it does in the real ones, so that a test can prove that it is never logged.
"""

from __future__ import annotations

from tests.openrouter_server.fault import (
    CREDITS_URL,
    KEYS_URL,
    Fault,
    Kind,
    answer,
    error,
    free_daily,
    provider,
    stream_error,
    unaffordable,
    upstream,
)

FUNDS, NOTHING, MODEL = "402: the account's funds", "nothing is retired", "the model is retired"

FAULTS: dict[str, Fault] = {
    # 400
    "unknown_model": answer(
        f"400: {MODEL} until the next catalogue", 400, "{model} is not a valid model ID", user=True
    ),
    "bad_request": answer(f"400: our own mistake; {NOTHING}, no retry", 400, "Invalid request parameters"),
    "zod_error": Fault(
        f"400 in another shape, as some routes answer; our own mistake, {NOTHING}",
        400,
        error=lambda r: {
            "success": False,
            "error": {
                "name": "ZodError",
                "message": '[{"code":"invalid_type","path":["messages"],"message":"Required"}]',
            },
        },
        in_spec=False,
    ),
    # 401
    "missing_key": answer("401: no credential was sent", 401, "No cookie auth credentials found"),
    "unknown_key": answer(
        "401: the credential is dead, for free models too, until the key changes", 401, "User not found."
    ),
    # 402
    "credits_exhausted": answer(
        f"{FUNDS} (a): every paid model until a top-up; free models are spared",
        402,
        f"Insufficient credits. Add more using {CREDITS_URL}",
        {"limit_source": "openrouter_credits", "error_type": "payment_required"},
        user=True,
    ),
    "tokens_unaffordable": Fault(
        f"402 (b): {NOTHING}; ask for at most the affordable tokens, or choose a cheaper model",
        402,
        error=lambda r: error(402, unaffordable(r.max_tokens, 3324), {"provider_name": None}, user=True),
    ),
    "tokens_unaffordable_everywhere": Fault(
        f"402 (b) from several providers: {NOTHING}; the least affordable number of previous_errors counts",
        402,
        error=lambda r: error(
            402,
            unaffordable(r.max_tokens, 3324),
            {
                "provider_name": None,
                "previous_errors": [
                    {"code": 402, "message": unaffordable(r.max_tokens, 2911)},
                    {"code": 402, "message": unaffordable(r.max_tokens, 4100)},
                ],
            },
            user=True,
        ),
    ),
    "in_flight_budget_exhausted": answer(
        "402 (c): calls in flight hold the money; paid calls rest for Retry-After",
        402,
        "This request would exceed your available credits given your current in-flight requests. "
        "Retry after in-flight requests settle, or add credits.",
        {
            "reason": "in_flight_budget_exhausted",
            "remedy_hint": "Retry after your in-flight requests settle (see the Retry-After header).",
            "error_type": "payment_required",
        },
        user=True,
        headers=lambda r: {"Retry-After": "120"},
    ),
    "weight_exceeds_budget": answer(
        f"402 (d): {NOTHING}; shrink the request",
        402,
        "This request's estimated cost exceeds your available budget. Reduce the prompt or max_tokens, or add credits.",
        {"reason": "weight_exceeds_budget", "error_type": "payment_required"},
        user=True,
    ),
    # 403, and its documented twin
    "key_limit_daily": answer(
        "403: this key's funds, until its limit resets",
        403,
        f"Key limit exceeded (daily limit). Manage it using {KEYS_URL}",
    ),
    "key_limit_total": answer(
        "403: this key's funds, until its limit changes",
        403,
        f"Key limit exceeded (total limit). Manage it using {KEYS_URL}",
    ),
    "key_limit_as_402": answer(
        "402: the same, as the documentation has it",
        402,
        f"Key limit exceeded (total limit). Manage it using {KEYS_URL}",
        {"limit_source": "openrouter_key_limit", "error_type": "payment_required"},
    ),
    "moderation": Fault(
        f"403: this input was flagged; {NOTHING}",
        403,
        error=lambda r: error(
            403,
            f"{r.model} requires moderation on {r.provider}. "
            'Your input was flagged for "violence". No credits were charged.',
            {
                "reasons": ["violence"],
                "flagged_input": "I will tear...apart.",
                "provider_name": r.provider,
                "model_slug": r.model,
            },
            user=True,
        ),
    ),
    "guardrail": answer(
        f"403: a guardrail blocked this input; {NOTHING}",
        403,
        "Request blocked: prompt injection patterns detected",
        {"patterns": ["ignore all previous instructions"]},
    ),
    "workspace_budget": answer(
        "403: the workspace's funds",
        403,
        "Workspace budget exceeded (monthly budget). Manage it using https://openrouter.ai/settings/workspaces",
        {"limit_source": "openrouter_workspace_budget", "error_type": "payment_required"},
    ),
    # 404
    "no_endpoints": answer(f"404: {MODEL} until the next catalogue", 404, "No endpoints found for {model}.", user=True),
    "no_tool_endpoints": answer(
        f"404: {MODEL} for tools",
        404,
        "No endpoints found that support tool use. To learn more about provider routing, visit: "
        "https://openrouter.ai/docs/guides/routing/provider-selection",
    ),
    "no_endpoints_for_parameters": answer(
        f"404: {MODEL} for these parameters (provider.require_parameters)",
        404,
        "No endpoints found that can handle the requested parameters. "
        "To learn more about provider routing, visit: "
        "https://openrouter.ai/docs/guides/routing/provider-selection",
    ),
    "data_policy": answer(
        f"404: {MODEL} under this data policy",
        404,
        "No endpoints found matching your data policy (Free model publication). "
        "Configure: https://openrouter.ai/settings/privacy",
    ),
    "no_allowed_providers": Fault(
        f"404: {MODEL} for these providers or this max_price",
        404,
        error=lambda r: error(
            404,
            "No allowed providers are available for the selected model.",
            {"available_providers": [r.provider.lower().replace(" ", "-")], "requested_providers": []},
        ),
    ),
    # 408, 413, 422
    "timeout": answer(f"408: {NOTHING}; one retry", 408, "Operation timed out. Please try again later."),
    "too_large": answer(f"413: {NOTHING}", 413, "Request payload too large"),
    "unprocessable": answer(f"422: {NOTHING}", 422, "Invalid argument"),
    # 429
    "upstream_rate_limited": upstream(retry_after_s=7),
    "upstream_rate_limited_no_hint": upstream(retry_after_s=None),
    "model_rate_limited": answer(
        "429: this model only; it rests for a backoff",
        429,
        "Rate limit exceeded: {model} is limited to 15 requests per minute. Please retry shortly.",
        {"limit_source": "openrouter_shared_capacity", "error_type": "rate_limit_exceeded"},
        user=True,
    ),
    "free_daily_limit": free_daily(),
    "free_daily_limit_in_seconds": free_daily(in_seconds=True),
    # 5xx
    "server_error": provider(500, "Internal Server Error", "server"),
    "bad_gateway": provider(502, "Provider returned error", "provider_unavailable"),
    "unavailable": provider(503, "Service temporarily unavailable", "provider_unavailable"),
    "unavailable_retry_after": provider(
        503,
        "Service temporarily unavailable",
        "provider_unavailable",
        headers=lambda r: {"Retry-After": "11"},
    ),
    "unavailable_html": Fault(
        "503 from the edge, in HTML: the model rests, short and escalating",
        503,
        error=lambda r: "<!DOCTYPE html><html><head><title>503 Service Unavailable</title></head><body></body></html>",
        in_spec=False,
    ),
    "edge_timeout": provider(524, "Request timed out. Please try again later.", "timeout"),
    "overloaded": provider(529, "Provider returned error", "provider_overloaded"),
    # 200
    "error_in_200": Fault(
        "200 with only {error}; in a stream the error event is the first and only one",
        200,
        Kind.ERROR_ONLY,
        error=stream_error,
        in_spec=False,
    ),
    "error_in_200_string_code": Fault(
        "the same with the code as a string, as once seen",
        200,
        Kind.ERROR_ONLY,
        error=lambda r: stream_error(r, "502"),
        in_spec=False,
    ),
    "finish_error": Fault(
        "200 with partial content, finish_reason error, choices[0].error; in a stream an error event midway",
        200,
        Kind.PARTIAL,
        error=stream_error,
    ),
    "empty_content": Fault(
        "200 without content, finish_reason length: reasoning ate the cap, and is charged",
        200,
        Kind.EMPTY,
        bills=True,
    ),
    "nothing_generated": Fault("200 with zero completion tokens: not charged", 200, Kind.EMPTY),
    # the wire
    "dropped_before_answer": Fault("the connection closes unanswered; cost unknown, here nothing", 0, Kind.DROP_BEFORE),
    "dropped_before_answer_billed": Fault(
        "the connection closes unanswered; cost unknown, here charged in full",
        0,
        Kind.DROP_BEFORE,
        bills=True,
    ),
    "dropped_midway": Fault("the body breaks off, after it was charged in full", 200, Kind.DROP_MIDWAY, bills=True),
    "hang": Fault("nothing comes until the client gives up; not charged", 0, Kind.HANG),
    "hang_billed": Fault(
        "nothing comes until the client gives up, but it is charged in full", 0, Kind.HANG, bills=True
    ),
    "slow": Fault("everything comes, in slow pieces", 200, Kind.SLOW, bills=True),
}

# What a client can only wait out; chaos leaves these alone unless asked.
SLOW_FAULTS = frozenset(name for name, fault in FAULTS.items() if fault.kind in (Kind.HANG, Kind.SLOW))
