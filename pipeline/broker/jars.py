"""Apache Kafka's jars, brought by Maven into a cache folder, and the Java that runs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

KAFKA_VERSION = "4.1.1"
JAVA_NEEDED = 17
POM = """<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fluxai</groupId>
  <artifactId>local-kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""


class LocalKafkaError(RuntimeError):
    """A local Kafka could not be had; the text says what to do. A retry does not help before that is done."""


def home() -> Path:
    """Where jars and data are kept: `FLUX_KAFKA_HOME`, or `.flux/kafka` in the working directory. The jars lie in `libs` below it."""
    return Path(os.environ.get("FLUX_KAFKA_HOME") or ".flux/kafka").absolute()


def missing_tools() -> str | None:
    """What keeps this machine from running a local Kafka, as a sentence; None when nothing does."""
    java = shutil.which("java")
    if java is None:
        return f"Java {JAVA_NEEDED} or later is not installed (no `java` on the PATH): install a JRE, for instance openjdk-17-jre-headless"
    found = java_version(java)
    if found < JAVA_NEEDED:
        return f"Kafka {KAFKA_VERSION} needs Java {JAVA_NEEDED} or later, `java` on the PATH is {found}"
    if not present(home() / "libs") and shutil.which("mvn") is None:
        return (
            f"Maven is not installed (no `mvn` on the PATH) and {home() / 'libs'} has no Kafka jars: install maven, or set FLUX_KAFKA_HOME"
        )
    return None


def java_version(java: str) -> int:
    """Major version of a `java` command, 0 when it does not say."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalKafkaError(f"`{java} -version` does not run: {error}") from error
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match[1]) if match else 0


def present(libs: Path) -> bool:
    return any(libs.glob("kafka_2.13-*.jar")) and any(libs.glob("slf4j-api-*.jar"))


def ensure_jars(libs: Path | None = None) -> Path:
    """The folder with Kafka's jars, filled through Maven when it is not there yet (about 45 MB).

    Raises LocalKafkaError without Java or Maven, or when Maven fails (then a retry may help).
    """
    libs = libs or home() / "libs"
    if (missing := missing_tools()) is not None:
        raise LocalKafkaError(missing)
    if present(libs):
        return libs
    libs.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jars-", dir=libs.parent) as scratch:
        pom, target = Path(scratch, "pom.xml"), Path(scratch, "libs")
        pom.write_text(POM.format(version=KAFKA_VERSION))
        command = [
            "mvn",
            "-q",
            "-B",
            "-f",
            str(pom),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={target}",
            "-DincludeScope=runtime",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode != 0 or not present(target):
            raise LocalKafkaError(f"Maven could not bring Kafka {KAFKA_VERSION}: {(done.stdout + done.stderr).strip()[-2000:]}")
        if not present(libs):  # another process may have been quicker
            shutil.rmtree(libs, ignore_errors=True)
            target.rename(libs)
    return libs
