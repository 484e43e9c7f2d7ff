"""Changes told by deploy tools whose fields only have to be found, and plain deploy notices of any sender."""

from __future__ import annotations

from collections.abc import Callable

from agents.normalize.alert_words import environment_in, service_in, severity_in
from agents.normalize.dig import Obj, first, first_value, obj, plain_keys
from agents.normalize.items import Deed, Item, Source


def _deed(source: str, payload: Obj, **paths: tuple[str, ...]) -> Item:
    """A change whose fields lie at the given paths; `title` may be missing where `action` is there."""

    def get(field: str) -> str:
        return first(payload, *paths.get(field, ()))

    return Deed(
        source,
        title=get("title") or f"deployment {get('state')}".strip(),
        kind="config" if source == "launchdarkly" else "deploy",
        service=get("service"),
        environment=get("environment"),
        author=get("author"),
        version=get("version"),
        url=get("url"),
        happened_at=first_value(payload, *paths.get("at", ())),
        key=[get("id"), get("state")] if get("id") else None,
        origin=payload,
    )


_Simple = tuple[str, Callable[[Obj], bool], dict[str, tuple[str, ...]]]
_SIMPLE: tuple[_Simple, ...] = (
    (
        "vercel",
        lambda p: str(p.get("type", "")).startswith("deployment") and "payload" in p,
        {
            "title": ("type",),
            "state": ("type",),
            "service": ("payload.name", "payload.deployment.name", "payload.project.name"),
            "environment": ("payload.target",),
            "url": ("payload.url", "payload.deployment.url"),
            "version": ("payload.deployment.meta.githubCommitSha",),
            "at": ("createdAt",),
            "id": ("payload.deployment.id", "id"),
        },
    ),
    (
        "netlify",
        lambda p: "site_id" in p and "deploy_url" in p,
        {
            "title": ("title", "state"),
            "state": ("state",),
            "service": ("name",),
            "environment": ("context",),
            "author": ("committer",),
            "version": ("commit_ref",),
            "url": ("deploy_ssl_url", "url"),
            "at": ("published_at", "updated_at"),
            "id": ("id",),
        },
    ),
    (
        "heroku",
        lambda p: p.get("resource") in ("release", "build") and "webhook_metadata" in p,
        {
            "title": ("data.description",),
            "state": ("action",),
            "service": ("data.app.name",),
            "author": ("actor.email", "data.user.email"),
            "version": ("data.version",),
            "at": ("data.created_at",),
            "id": ("id",),
        },
    ),
    (
        "circleci",
        lambda p: p.get("type") in ("workflow-completed", "job-completed") and "pipeline" in p,
        {
            "title": ("workflow.name", "job.name"),
            "state": ("workflow.status",),
            "service": ("project.name",),
            "version": ("pipeline.vcs.revision",),
            "author": ("pipeline.trigger_parameters.gitlab.username",),
            "url": ("workflow.url",),
            "at": ("happened_at",),
            "id": ("id",),
        },
    ),
    (
        "jenkins",
        lambda p: isinstance(p.get("build"), dict) and ("phase" in p["build"] or "full_url" in p["build"]),
        {
            "title": ("build.full_url", "name"),
            "state": ("build.status", "build.phase"),
            "service": ("name", "display_name"),
            "version": ("build.scm.commit", "build.number"),
            "url": ("build.full_url",),
            "at": ("build.timestamp",),
            "id": ("build.full_url",),
        },
    ),
    (
        "azure_devops",
        lambda p: "eventType" in p and "publisherId" in p,
        {
            "title": ("message.text", "detailedMessage.text"),
            "state": ("eventType",),
            "service": (
                "resource.release.releaseDefinition.name",
                "resource.definition.name",
                "resource.repository.name",
                "resource.environment.release.releaseDefinition.name",
            ),
            "environment": ("resource.environment.name",),
            "version": ("resource.release.name", "resource.buildNumber"),
            "at": ("createdDate",),
            "id": ("id",),
        },
    ),
    (
        "octopus",
        lambda p: isinstance(p.get("Payload"), dict) and "ServerUri" in p["Payload"],
        {
            "title": ("Payload.Event.Message",),
            "service": ("Payload.Event.ProjectName",),
            "author": ("Payload.Event.Username",),
            "at": ("Timestamp", "Payload.Event.Occurred"),
            "id": ("Payload.Event.Id",),
        },
    ),
    (
        "launchdarkly",
        lambda p: p.get("kind") in ("flag", "environment", "project", "segment") and "titleVerb" in p,
        {
            "title": ("title", "titleVerb"),
            "service": ("name", "target.name"),
            "author": ("member.email",),
            "url": ("_links.site.href",),
            "at": ("date",),
            "id": ("_id",),
        },
    ),
    (
        "bitbucket",
        lambda p: "actor" in p and "repository" in p and ("push" in p or "commit_status" in p),
        {
            "title": ("commit_status.name", "push.changes.0.new.target.message"),
            "state": ("commit_status.state",),
            "service": ("repository.name",),
            "author": ("actor.display_name", "actor.nickname"),
            "version": ("push.changes.0.new.target.hash",),
            "url": ("commit_status.url",),
            "at": ("commit_status.updated_on", "push.changes.0.new.target.date"),
            "id": ("push.changes.0.new.target.hash", "commit_status.key"),
        },
    ),
    (
        "spinnaker",
        lambda p: isinstance(p.get("details"), dict) and str(p["details"].get("type", "")).startswith("orca:"),
        {
            "title": ("content.execution.name",),
            "state": ("content.execution.status",),
            "service": ("details.application", "content.execution.application"),
            "at": ("content.execution.startTime",),
            "id": ("content.executionId",),
        },
    ),
    (
        "terraform_cloud",
        lambda p: "run_id" in p and "workspace_name" in p,
        {
            "title": ("run_message", "notifications.0.message"),
            "state": ("notifications.0.run_status",),
            "service": ("workspace_name",),
            "author": ("run_created_by",),
            "url": ("run_url",),
            "at": ("run_created_at", "notifications.0.run_updated_at"),
            "id": ("run_id",),
        },
    ),
)


def _is_simple(payload: Obj) -> bool:
    return any(matches(payload) for _, matches, _ in _SIMPLE) or _is_notice(payload)


def _simple(payload: Obj, now_ms: int) -> list[Item]:
    for source, matches, paths in _SIMPLE:
        if matches(payload):
            return [_deed(source, payload, **paths)]
    plain = plain_keys(payload)
    inner = obj(plain.get("deployment")) or obj(plain.get("deploy")) or obj(plain.get("release")) or obj(plain.get("change"))
    body = {**plain, **plain_keys(inner)}
    return [
        Deed(
            "deploy" if not first(plain, "source") else first(plain, "source")[:40],
            title=first(body, "title", "message", "description", "summary", "name", "changelog"),
            kind="config" if "config" in first(body, "type", "event", "kind").lower() else "deploy",
            service=service_in(body) or first(body, "repository", "repo"),
            environment=environment_in(body),
            author=first(body, "author", "user", "deployedby", "deployer", "actor", "by"),
            version=first(body, "version", "revision", "sha", "commit", "tag", "ref", "imagetag"),
            url=first(body, "url", "link", "buildurl"),
            happened_at=first_value(body, "happenedat", "timestamp", "finishedat", "deployedat", "time", "date", "createdat"),
            key=[first(body, "deploymentid", "deployid", "id")] if first(body, "deploymentid", "deployid", "id") else None,
            origin=payload,
        )
    ]


def _is_notice(payload: Obj) -> bool:
    """A plain notice that something was deployed or reconfigured: it says so, and tells a version, commit or author, and no severity."""
    plain = plain_keys(payload)
    kind = " ".join(first(plain, key) for key in ("event", "eventtype", "type", "kind", "action", "category")).lower()
    says = any(
        word in kind
        for word in (
            "deploy",
            "release",
            "rollout",
            "rollback",
            "config_change",
            "configuration change",
            "config-change",
            "change_event",
            "feature_flag",
        )
    )
    tells = any(
        key in plain
        for key in (
            "version",
            "revision",
            "sha",
            "commit",
            "commitsha",
            "author",
            "deployedby",
            "deployer",
            "deployment",
            "deploymentid",
            "changeid",
            "gitsha",
            "imagetag",
        )
    )
    return says and tells and not severity_in(payload)


DEPLOYS = Source(
    "deploy",
    _is_simple,
    _simple,
    aliases=(
        "vercel",
        "netlify",
        "heroku",
        "circleci",
        "jenkins",
        "azure_devops",
        "octopus",
        "launchdarkly",
        "bitbucket",
        "spinnaker",
        "terraform_cloud",
    ),
)
