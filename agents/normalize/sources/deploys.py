"""Changes: deploy, release and pipeline events of GitHub, GitLab, Bitbucket, Argo CD, Flux, Kubernetes, Jenkins, Azure DevOps, Vercel,
Netlify, Heroku, CircleCI, Octopus, LaunchDarkly and plain deploy notices. Other messages of the same tools are ignored, security and
health alerts among them are alerts."""

from __future__ import annotations

from agents.normalize.dig import Obj, at, first, first_value, obj
from agents.normalize.items import FIRING, RESOLVED, Deed, Event, Ignored, Item, Source
from agents.normalize.words import status_or_firing


def _is_github(payload: Obj) -> bool:
    return ("repository" in payload and "sender" in payload) or ("zen" in payload and "hook" in payload)


def _github(payload: Obj, now_ms: int) -> list[Item]:
    run = obj(payload.get("workflow_run"))
    if payload.get("deployment"):
        return [_github_deployment(payload, obj(payload["deployment"]), obj(payload.get("deployment_status")))]
    if payload.get("release"):
        return [_github_release(payload, obj(payload["release"]))]
    if run:
        deploys = first(run, "conclusion") and "deploy" in (first(run, "name") + first(run, "path")).lower()
        return [_github_run(payload, run) if deploys else Ignored("a GitHub workflow run that deploys nothing")]
    if "ref" in payload and "commits" in payload:
        return [_github_push(payload)]
    if payload.get("alert"):
        return [_github_alert(payload, obj(payload["alert"]))]
    return [Ignored("a GitHub event that is neither an alert nor a deployment")]


def _repository(payload: Obj) -> str:
    return first(payload, "repository.full_name", "repository.name")


def _github_deployment(payload: Obj, deployment: Obj, status: Obj) -> Item:
    repository = _repository(payload)
    done = f"{repository} deployment {first(status, 'state')}" if status else f"{repository} deployed"
    return Deed(
        "github",
        title=f"{done} {first(status, 'description') or first(deployment, 'description')}",
        service=first(payload, "repository.name"),
        environment=first(status, "environment") or first(deployment, "environment"),
        author=first(deployment, "creator.login") or first(payload, "sender.login"),
        version=first(deployment, "ref", "sha"),
        url=first(status, "target_url", "environment_url") or first(deployment, "url"),
        happened_at=first_value(status, "created_at") or first_value(deployment, "created_at"),
        key=[repository, "deployment", first(deployment, "id"), first(status, "id")],
        origin=payload,
    )


def _github_release(payload: Obj, release: Obj) -> Item:
    return Deed(
        "github",
        title=first(release, "name", "tag_name"),
        service=first(payload, "repository.name"),
        author=first(release, "author.login") or first(payload, "sender.login"),
        version=first(release, "tag_name"),
        url=first(release, "html_url"),
        happened_at=first_value(release, "published_at", "created_at"),
        key=[_repository(payload), "release", first(release, "id")],
        origin=payload,
    )


def _github_run(payload: Obj, run: Obj) -> Item:
    return Deed(
        "github",
        title=f"{first(run, 'name')}: {first(run, 'conclusion')}",
        service=first(payload, "repository.name"),
        author=first(payload, "sender.login"),
        version=first(run, "head_sha"),
        url=first(run, "html_url"),
        happened_at=first_value(run, "updated_at"),
        key=[_repository(payload), "run", first(run, "id")],
        origin=payload,
    )


def _github_push(payload: Obj) -> Item:
    return Deed(
        "github",
        title=first(payload, "head_commit.message") or f"push to {first(payload, 'ref')}",
        kind="config",
        service=first(payload, "repository.name"),
        author=first(payload, "pusher.name", "sender.login"),
        version=first(payload, "after"),
        url=first(payload, "compare"),
        happened_at=first_value(payload, "head_commit.timestamp"),
        key=[_repository(payload), "push", first(payload, "after"), first(payload, "ref")],
        origin=payload,
    )


_ADVISED = ("security_advisory.severity", "security_vulnerability.severity", "rule.security_severity_level", "rule.severity", "severity")
_TITLED = ("security_advisory.summary", "rule.description", "secret_type_display_name", "rule.name", "affected_package_name")


def _github_alert(payload: Obj, alert: Obj) -> Item:
    title = first(alert, *_TITLED)
    return Event(
        "github",
        name=title or "security alert",
        status=RESOLVED if first(alert, "state") in ("fixed", "dismissed", "resolved", "closed", "auto_dismissed") else FIRING,
        service=first(payload, "repository.name"),
        severity=first(alert, *_ADVISED),
        started_at=first_value(alert, "created_at"),
        url=first(alert, "html_url"),
        summary=title,
        labels={"repository": _repository(payload)},
        key=[_repository(payload), title, first(alert, "number", "id")],
        origin=payload,
    )


def _is_gitlab(payload: Obj) -> bool:
    return "object_kind" in payload


def _gitlab(payload: Obj, now_ms: int) -> list[Item]:
    kind = first(payload, "object_kind")
    project = first(payload, "project.path_with_namespace", "project.name", "project_name", "repository.name")
    attributes = obj(payload.get("object_attributes"))
    service = first(payload, "project.name", "repository.name") or project
    if kind in ("deployment", "release"):
        return [
            Deed(
                "gitlab",
                title=first(payload, "commit_title", "name", "description") or f"{kind} {first(payload, 'status', 'action')}",
                service=service,
                environment=first(payload, "environment"),
                author=first(payload, "user.username", "user.name"),
                version=first(payload, "short_sha", "tag", "ref"),
                url=first(payload, "deployable_url", "url"),
                happened_at=first_value(payload, "status_changed_at", "released_at", "created_at"),
                key=[project, kind, first(payload, "deployment_id", "id"), first(payload, "status", "action")],
                origin=payload,
            )
        ]
    if kind in ("push", "tag_push"):
        return [
            Deed(
                "gitlab",
                title=first(payload, "commits.0.title", "commits.0.message") or f"push to {first(payload, 'ref')}",
                kind="config",
                service=service,
                author=first(payload, "user_username", "user_name"),
                version=first(payload, "checkout_sha", "after"),
                url=first(payload, "commits.0.url"),
                happened_at=first_value(payload, "commits.0.timestamp"),
                key=[project, kind, first(payload, "after")],
                origin=payload,
            )
        ]
    if kind == "pipeline":
        return [_gitlab_pipeline(payload, attributes, project, service)]
    if kind == "alert":
        return [
            Event(
                "gitlab",
                name=first(attributes, "title"),
                status=status_or_firing(first(attributes, "status")),
                service=service,
                severity=first(attributes, "severity"),
                started_at=first_value(attributes, "started_at"),
                url=first(attributes, "url"),
                key=[project, first(attributes, "iid", "id")],
                origin=payload,
            )
        ]
    return [Ignored(f"a GitLab {kind} event")]


def _gitlab_pipeline(payload: Obj, attributes: Obj, project: str, service: str) -> Item:
    return Deed(
        "gitlab",
        title=f"pipeline {first(attributes, 'status')}",
        service=service,
        author=first(payload, "user.username"),
        version=first(attributes, "sha"),
        environment=first(payload, "builds.0.environment.name"),
        url=first(attributes, "url"),
        happened_at=first_value(attributes, "finished_at", "created_at"),
        key=[project, "pipeline", first(attributes, "id"), first(attributes, "status")],
        origin=payload,
    )


def _is_argo(payload: Obj) -> bool:
    app = payload.get("app") or payload.get("application")
    return isinstance(app, dict) and ("status" in app or "spec" in app or "metadata" in app)


def _argo(payload: Obj, now_ms: int) -> list[Item]:
    app = obj(payload.get("app")) or obj(payload.get("application"))
    name, health = first(app, "metadata.name"), first(app, "status.health.status")
    state = obj(at(app, "status.operationState"))
    if health in ("Degraded", "Missing"):
        return [
            Event(
                "argocd",
                name=f"Argo CD application {name} is {health}",
                service=name,
                severity=health,
                started_at=first_value(app, "status.health.lastTransitionTime"),
                summary=first(app, "status.health.message", "status.operationState.message"),
                key=["health", name],
                origin=payload,
            )
        ]
    return [
        Deed(
            "argocd",
            title=f"{name} sync {first(state, 'phase') or first(app, 'status.sync.status')}",
            service=name,
            environment=first(app, "spec.destination.namespace"),
            author=first(state, "operation.initiatedBy.username"),
            version=first(state, "syncResult.revision") or first(app, "status.sync.revision"),
            happened_at=first_value(state, "finishedAt", "startedAt"),
            key=[name, first(state, "startedAt", "finishedAt"), first(state, "phase")],
            origin=payload,
        )
    ]


def _is_kubernetes(payload: Obj) -> bool:
    return isinstance(payload.get("involvedObject"), dict) and ("reason" in payload or "type" in payload)


_ROLLOUT = frozenset(
    [
        "ScalingReplicaSet",
        "SuccessfulRescale",
        "DeploymentRollback",
        "ReconciliationSucceeded",
        "upgrade",
        "info",
        "Progressing",
        "ArtifactUpToDate",
        "InstallSucceeded",
        "UpgradeSucceeded",
    ]
)


def _kubernetes(payload: Obj, now_ms: int) -> list[Item]:
    """Kubernetes Events and Flux CD notifications (which add `severity`)."""
    about = obj(payload["involvedObject"])
    reason, kind = first(payload, "reason"), first(payload, "type", "severity")
    source = (
        "flux_cd"
        if "reportingController" in payload and "severity" in payload and "controller" in first(payload, "reportingController")
        else "kubernetes"
    )
    if reason in _ROLLOUT:
        return [
            Deed(
                source,
                title=first(payload, "message"),
                service=first(about, "name"),
                environment="",
                version=first(payload, "metadata.revision"),
                kind="deploy" if reason != "SuccessfulRescale" else "config",
                happened_at=first_value(payload, "lastTimestamp", "eventTime", "timestamp"),
                key=[first(payload, "metadata.uid") or first(about, "name"), reason, first(payload, "lastTimestamp", "timestamp")],
                origin=payload,
            )
        ]
    if kind.lower() in ("normal", "info"):
        return [Ignored(f"a normal Kubernetes event ({reason})")]
    return [
        Event(
            source,
            name=reason or "Kubernetes event",
            service=first(about, "name"),
            severity=kind,
            summary=first(payload, "message"),
            started_at=first_value(payload, "firstTimestamp", "eventTime", "timestamp", "lastTimestamp"),
            labels={"namespace": first(about, "namespace"), "kind": first(about, "kind"), "object": first(about, "name")},
            key=[first(about, "namespace"), first(about, "kind"), first(about, "name"), reason],
            origin=payload,
        )
    ]


GITHUB = Source("github", _is_github, _github)
GITLAB = Source("gitlab", _is_gitlab, _gitlab)
ARGOCD = Source("argocd", _is_argo, _argo, aliases=("argo", "argo_cd"))
KUBERNETES = Source("kubernetes", _is_kubernetes, _kubernetes, aliases=("k8s", "flux_cd", "fluxcd"))
