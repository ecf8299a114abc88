"""Every way in which the real service is known to fail, by name.

Bodies are those of X's OpenAPI and documentation, and bodies captured in public issue threads (iembot #156 for the
suspension, xdk #25 for the cap, samples #160 for the enrolment, node-twitter-api-v2 #493 for the permissions,
FotBot #22 for the length).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.x_server.fault import PROBLEMS, SPEC_PROBLEMS, Fault, Kind, Struck, answer, problem

ACCOUNT_ID = "1900000000000000001"
WINDOW_LEFT = timedelta(minutes=7)
DAY_LEFT = timedelta(hours=9)

UNAUTHORIZED = problem(401, "Unauthorized", "Unauthorized")
CREDITS_DEPLETED = {
    "title": "CreditsDepleted",
    "detail": f"Your enrolled account [{ACCOUNT_ID}] does not have any credits to fulfill this request.",
    "type": f"{PROBLEMS}credits",
}
DUPLICATE = problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
TOO_MANY = problem(429, "Too Many Requests", "Too Many Requests")
TOO_LONG = problem(
    400,
    "Invalid Request",
    "Your Tweet text is too long. For more information on how Twitter determines text length see "
    "https://github.com/twitter/twitter-text.",
    f"{SPEC_PROBLEMS}invalid-request",
)
NOT_PERMITTED = problem(403, "Forbidden", "You are not permitted to perform this action.")
INTERNAL = problem(500, "Internal Server Error", "Something is broken.", f"{SPEC_PROBLEMS}internal-error")
HTML = "<!DOCTYPE html><html><head><title>X / Error</title></head><body><h1>Over capacity</h1></body></html>"


def _reset(struck: Struck) -> Mapping[str, str | None]:
    reset = int((struck.now + WINDOW_LEFT).timestamp())
    return {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}


def _day_reset(struck: Struck) -> Mapping[str, str | None]:
    reset = str(int((struck.now + DAY_LEFT).timestamp()))
    names = ("x-app-limit-24hour", "x-user-limit-24hour")
    return {f"{name}-{what}": value for name in names for what, value in (("remaining", "0"), ("reset", reset))}


def _no_reset(struck: Struck) -> Mapping[str, str | None]:
    return dict.fromkeys(("x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"))


def _beside(struck: Struck) -> dict[str, Any]:
    return {
        "title": "Authorization Error",
        "detail": "Sorry, you are not authorized to see the Post referenced.",
        "section": "data",
        "resource_type": "tweet",
        "type": f"{SPEC_PROBLEMS}not-authorized-for-resource",
    }


FAULTS: dict[str, Fault] = {
    # 401, 402, 403
    "unauthorized": answer("401: the credentials are dead, until they change", 401, UNAUTHORIZED),
    "credits_depleted": answer("402: the account's credits are gone, until more are bought", 402, CREDITS_DEPLETED),
    "duplicate": answer("403: this text was posted lately; no suspension, and nothing to wait for", 403, DUPLICATE),
    "not_enrolled": answer(
        "403: the app is in no project or has no access; nothing works until its keeper enrols it",
        403,
        {
            "client_id": "30000001",
            "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens "
            "from a Twitter developer App that is attached to a Project. You can create a project via the developer "
            "portal.",
            "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
            "title": "Client Forbidden",
            "required_enrollment": "Appropriate Level of API Access",
            "reason": "client-not-enrolled",
            "type": f"{PROBLEMS}client-forbidden",
        },
    ),
    "read_only": answer(
        "403: the token may not write; it must be made anew after the app was given read and write",
        403,
        problem(
            403,
            "Forbidden",
            "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint.",
            f"{PROBLEMS}oauth1-permissions",
        ),
    ),
    "suspended": answer(
        "403: the account is suspended; nothing works until X lifts it",
        403,
        problem(403, "Forbidden", "The user used for authentication is suspended", f"{PROBLEMS}user-suspended"),
    ),
    "not_permitted": answer("403: this one post is refused, X does not say why", 403, NOT_PERMITTED),
    # 429
    "rate_limited": answer(
        "429: the window's requests are used up, until x-rate-limit-reset (epoch seconds)",
        429,
        TOO_MANY,
        headers=_reset,
    ),
    "rate_limited_day": answer(
        "429: the day's posts are used up; x-rate-limit-* still has some, x-app-limit-24hour-reset tells when",
        429,
        TOO_MANY,
        headers=_day_reset,
    ),
    "rate_limited_no_reset": answer("429 without any rate headers", 429, TOO_MANY, headers=_no_reset),
    "usage_capped": answer(
        "429: a spending cap is reached, until it is raised or its month ends; the rate headers have requests left",
        429,
        {
            "account_id": ACCOUNT_ID,
            "product_name": "standard-basic",
            "title": "UsageCapExceeded",
            "period": "Monthly",
            "scope": "Product",
            "detail": "Usage cap exceeded: Monthly product cap",
            "type": f"{PROBLEMS}usage-capped",
        },
    ),
    # 5xx
    "server_error": answer("500: nothing was done, but a client cannot know it", 500, INTERNAL, in_spec=True),
    "bad_gateway": answer("502 in JSON: nothing was done", 502, problem(502, "Bad Gateway", "Bad Gateway")),
    "unavailable": answer(
        "503 in JSON: nothing was done", 503, problem(503, "Service Unavailable", "Service Unavailable")
    ),
    "unavailable_html": answer("503 from the edge, in HTML: nothing was done", 503, HTML),
    # 2xx
    "errors_beside_data": Fault(
        "2xx: done, with errors[] beside the data", Kind.ERRORS_BESIDE, body=_beside, acts=True
    ),
    # done, and not told
    "accepted_then_500": answer("500, although it was done and billed", 500, INTERNAL, acts=True, in_spec=True),
    "accepted_then_503_html": answer("503 in HTML, although it was done and billed", 503, HTML, acts=True),
    "accepted_then_cut": Fault("done and billed, but the answer breaks off in the middle", Kind.CUT, acts=True),
    "accepted_then_dropped": Fault("done and billed, but the connection closes unanswered", Kind.DROP, acts=True),
    "accepted_then_hang": Fault("done and billed, but nothing comes until the client gives up", Kind.HANG, acts=True),
    # not done, and not told
    "dropped_before": Fault("the connection closes unanswered; nothing was done", Kind.DROP),
    "hang": Fault("nothing comes until the client gives up; nothing was done", Kind.HANG),
}

# What a client can only wait out; chaos leaves these alone unless asked.
SLOW_FAULTS = frozenset(name for name, fault in FAULTS.items() if fault.kind is Kind.HANG)

# What no waiting of minutes mends, but a keeper, or money; a soak that wants posts leaves these out of its chaos.
LASTING_FAULTS = frozenset(
    {"unauthorized", "credits_depleted", "not_enrolled", "read_only", "suspended", "usage_capped"}
)
