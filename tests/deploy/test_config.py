"""The deployer's configuration, its files of secrets, and those of HAProxy and supervisord."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from django.conf import settings

from deploy.config import Config, ConfigError, read_config
from deploy.environment import Environments, read_environment, without_password
from deploy.layout import Layout, Refused, parse_live, replace_durably
from deploy.supervise import places

GOOD = """
root = "/srv/claimdrift"
[ports]
public = "127.0.0.1:8080"
preview = 8081
blue = 8001
green = 8002
receiver = 8003
[environment]
web = "web.env"
worker = "worker.env"
migrator = "migrator.env"
[smoke]
customer = "deploy-smoke"
"""
SECRETS = "CLAIMDRIFT_SECRET_KEY=signs\nCLAIMDRIFT_WEBHOOK_KEYS=key-one key-two\n"
Configured = Callable[[str], Config]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """`configured(text)` is the configuration in a file."""

    def configured(text: str) -> Config:
        file = tmp_path / "deploy.toml"
        file.write_text(text)
        return read_config(file)

    return configured


def secret_file(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_the_least_is_enough(configured: Configured, tmp_path: Path) -> None:
    config = configured(GOOD)

    assert config.root == Path("/srv/claimdrift")
    assert config.environment.web == tmp_path / "web.env"
    assert (config.ports.of("blue"), config.ports.of("green")) == (8001, 8002)
    assert (config.limits.errors, config.times.bake, config.smoke.host) == (0, 120, "localhost")
    assert (config.email, config.slack_url_file, config.tls_pem) == (None, None, None)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('root = "/srv/claimdrift"', "", "root is missing"),
        ('root = "/srv/claimdrift"', 'root = "srv"', "root must be an absolute path"),
        ('root = "/srv/claimdrift"', 'root = "/srv/claim drift"', "root must be an absolute path"),
        ('root = "/srv/claimdrift"', f'root = "/{"x" * 80}"', "at most 80"),
        ("preview = 8081", "preview = 8001", "ports of their own"),
        ("preview = 8081", "preview = 8080", "ports of their own"),
        ("preview = 8081", "preview = 0", r"ports\.preview must be a port"),
        ("preview = 8081", "preview = true", r"ports\.preview must be a port"),
        ("preview = 8081", 'preview = "8081"', r"ports\.preview must be a port"),
        ('public = "127.0.0.1:8080"', "public = 8080", r"ports\.public must be HOST:PORT"),
        ('public = "127.0.0.1:8080"', 'public = "8080"', r"ports\.public must be HOST:PORT"),
        ('customer = "deploy-smoke"', 'customer = "Deploy"', r"smoke\.customer must be a slug"),
        ('customer = "deploy-smoke"', 'customers = "x"', r"smoke\.customer is missing"),
        ("[smoke]", "[times]\nbaek = 3\n[smoke]", r"unknown keys: times\.baek"),
        ("[smoke]", "[times]\nbake = 0\n[smoke]", r"times\.bake must be seconds"),
        ("[smoke]", "[limits]\nerrors = -1\n[smoke]", r"limits\.errors must be a whole number"),
        ("[smoke]", "[limits]\nerrors = 0.5\n[smoke]", r"limits\.errors must be a whole number"),
        ("[smoke]", "[notify.email]\nhost = 'a'\n[smoke]", r"notify\.email\.from is missing"),
        ("[smoke]", "[notify]\nemail = 'a@b.c'\n[smoke]", r"notify\.email must be a table"),
        ("[smoke]", "[smoke", "isn't TOML"),
        ('root = "/srv/claimdrift"', 'root = "/srv/claimdrift"\nroots = 1', "unknown keys: roots"),
    ],
)
def test_what_is_wrong_is_named(configured: Configured, old: str, new: str, says: str) -> None:
    assert GOOD.count(old) == 1
    with pytest.raises(ConfigError, match=says) as refusal:
        configured(GOOD.replace(old, new))
    assert "deploy.toml" in str(refusal.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml can't be read: No such file"):
        read_config(tmp_path / "nowhere.toml")


def test_an_environment_file_holds_a_variable_a_line(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "web.env", "# comment\n\nA=1\n B=a=b c\nC='quoted'\n")
    assert read_environment(file) == {"A": "1", "B": "a=b c", "C": "quoted"}


@pytest.mark.parametrize("line", ["pass word", "1A=x", "export A=x", "=x"])
def test_a_bad_line_is_refused_without_quoting_it(tmp_path: Path, line: str) -> None:
    file = secret_file(tmp_path / "web.env", f"A=1\n{line}\n")
    with pytest.raises(ConfigError, match="line 2 isn't KEY=VALUE") as refusal:
        read_environment(file)
    assert line not in str(refusal.value)


def test_secrets_that_anybody_can_read_are_refused(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "web.env", "A=1\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=f"chmod 640 {file}"):
        read_environment(file)


@pytest.fixture
def with_files(configured: Configured, tmp_path: Path) -> Config:
    """A configuration whose files of variables are there."""
    secret_file(tmp_path / "common.env", SECRETS)
    for kind in ("web", "worker", "migrator"):
        url = f"DATABASE_URL=postgresql://claimdrift_{kind}:pass-{kind}@db.internal/claimdrift\n"
        secret_file(tmp_path / f"{kind}.env", url)
    return configured(GOOD.replace("[environment]", '[environment]\ncommon = "common.env"'))


def test_each_process_has_its_own_login_and_nothing_of_ours(
    with_files: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("CLAIMDRIFT_DEBUG", "true")
    environments = Environments(with_files)

    assert "claimdrift_web" in environments.web["DATABASE_URL"]
    assert "claimdrift_worker" in environments.worker["DATABASE_URL"]
    assert environments.web["CLAIMDRIFT_SECRET_KEY"] == "signs"  # noqa: S105
    assert environments.web["PATH"] == os.environ["PATH"]
    assert not {"PYTHONPATH", "CLAIMDRIFT_DEBUG"} & environments.web.keys()


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("", "8003"),
        ("false", "8003"),
        ("true", "true"),
        ("1", "1"),
        ("9001, 9002", "9001 9002 8003"),
    ],
)
def test_the_smokes_receiver_may_be_reached(with_files: Config, value: str, allowed: str) -> None:
    common = with_files.environment.common
    assert common
    common.write_text(f"{SECRETS}CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK={value}\n")

    assert Environments(with_files).worker["CLAIMDRIFT_WEBHOOK_ALLOW_LOOPBACK"] == allowed


@pytest.mark.parametrize("name", ["CLAIMDRIFT_SECRET_KEY", "CLAIMDRIFT_WEBHOOK_KEYS"])
def test_what_both_slots_need_is_asked_for(with_files: Config, name: str) -> None:
    common = with_files.environment.common
    assert common
    common.write_text(SECRETS.replace(name, "OTHER"))

    with pytest.raises(ConfigError, match=rf"web\.env .* must say {name}"):
        Environments(with_files)


def test_every_secret_is_known(with_files: Config) -> None:
    secrets = Environments(with_files).secrets()

    assert {"signs", "key-one", "key-two", "pass-web", "pass-worker", "pass-migrator"} <= secrets


@pytest.mark.parametrize(
    ("url", "visible", "password"),
    [
        ("postgresql://me:p%40ss@db:5433/x", "postgresql://me@db:5433/x", "p@ss"),
        ("postgresql://me@/x?host=%2Frun&port=1", "postgresql://me@/x?host=%2Frun&port=1", ""),
        ("postgresql:///x?password=s3cret", "postgresql:///x", "s3cret"),
        ("postgresql://me:a@db/x?sslmode=require", "postgresql://me@db/x?sslmode=require", "a"),
    ],
)
def test_a_password_is_not_shown_to_others(url: str, visible: str, password: str) -> None:
    assert without_password(url) == (visible, password)


@pytest.mark.parametrize("slot", ["blue", "green", None])
def test_the_map_says_who_is_live(tmp_path: Path, slot: str | None) -> None:
    layout = Layout(tmp_path / "root")
    layout.create()
    assert layout.read_live() is None

    layout.write_live(slot)

    assert layout.read_live() == slot
    assert layout.live_map.read_text() == f"live {slot or 'none'}\n"


@pytest.mark.parametrize("text", ["", "live red\n", "live blue", "blue\n", "live blue\n\n"])
def test_a_map_that_names_no_slot_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused, match="must be one line"):
        parse_live(text, tmp_path)


def test_a_second_deployer_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    layout.create()
    with (
        layout.locked(),
        pytest.raises(Refused, match=rf"process {os.getpid()}\)"),
        layout.locked(),
    ):
        pass
    with layout.locked():
        pass


def test_nobody_else_can_look_into_the_root(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    layout.create()
    assert not stat.S_IMODE(layout.root.stat().st_mode) & 0o007


def test_a_slot_holds_what_it_is_given(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    layout.create()
    for release in (Path("/srv/r1"), Path("/srv/r2")):
        layout.put("blue", release)
        assert layout.release_of("blue") == release
    layout.put("blue", None)
    assert layout.release_of("blue") is None


@pytest.mark.parametrize("more", ["", "[tls]\npem = 'tls.pem'\n", "[proxy]\ntrusted = true\n"])
def test_haproxy_takes_its_configuration(configured: Configured, tmp_path: Path, more: str) -> None:
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if "pem" in more:
        _certificate(tmp_path / "tls.pem")
    config = configured(GOOD.replace("/srv/claimdrift", str(tmp_path / "root")) + more)
    Layout(config.root).create()

    checked = subprocess.run(  # noqa: S603
        [haproxy, "-c", "-f", str(settings.BASE_DIR / "deploy" / "haproxy.cfg")],
        env=places(config, haproxy),
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def _certificate(file: Path) -> None:
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(file))


def test_a_slot_keeps_its_environment_without_what_is_the_hosts(with_files: Config) -> None:
    kinds = Environments(with_files).of_slot()

    assert set(kinds) == {"web", "worker"}
    assert "claimdrift_worker" in kinds["worker"]["DATABASE_URL"]
    assert kinds["web"]["CLAIMDRIFT_PROXIES"] == "1"
    assert "PATH" not in kinds["web"]


def test_a_file_is_replaced_as_a_whole_and_as_secret_as_asked(tmp_path: Path) -> None:
    file = tmp_path / "blue.json"
    for text in ("longer than the next", "short"):
        replace_durably(file, text, mode=0o600)
        assert file.read_text() == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_root_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(Refused, match="start claimdrift's supervisor"),
        Layout(tmp_path / "root").locked(),
    ):
        pass
