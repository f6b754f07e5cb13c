"""Opening a checkpoint by any of its names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.resolve import locate
from qwq_gguf.errors import ConfigError, NotACheckpointError, SourceError, TokenizerError
from support.checkpoints import CHAT_TEMPLATE, byte_tokenizer, write_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_everything_small_is_read(tmp_path: Path) -> None:
    folder = write_checkpoint(
        tmp_path / "QwQ-Tiny",
        card="---\nlicense: mit\n---\n# Hello",
        generation_config={"top_k": 20},
        shards=2,
    )
    checkpoint = open_checkpoint(str(folder))
    assert checkpoint.name == "QwQ-Tiny"
    assert checkpoint.organization is None
    assert checkpoint.folder == folder
    assert checkpoint.config["architectures"] == ["Qwen2ForCausalLM"]
    assert checkpoint.generation_config == {"top_k": 20}
    assert checkpoint.tokenizer["model"]["type"] == "BPE"
    assert checkpoint.tokenizer_config["eos_token"] == "<|im_end|>"
    assert checkpoint.chat_template == CHAT_TEMPLATE
    assert checkpoint.card == {"license": "mit"}
    assert len(checkpoint.shards) == 2
    assert checkpoint.weight_bytes == sum(info.nbytes for info in checkpoint.tensors.values())


def test_a_commit_is_no_name(tmp_path: Path) -> None:
    cache = tmp_path / "models--Qwen--QwQ-32B" / "snapshots" / COMMIT
    cache.mkdir(parents=True)
    found = locate(cache)
    assert (found.name, found.organization) == ("QwQ-32B", "Qwen")
    plain = tmp_path / COMMIT
    plain.mkdir()
    assert locate(plain).name == "model"
    old = tmp_path / "models--gpt2" / "snapshots" / COMMIT
    old.mkdir(parents=True)
    assert (locate(old).name, locate(old).organization) == ("gpt2", None)


def test_a_relative_folder_has_its_real_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "QwQ-32B"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert locate(".").name == "QwQ-32B"
    assert locate("../QwQ-32B/").folder == folder.resolve()


@pytest.mark.parametrize("name", ["missing", "a\0b", "x" * 5000])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotACheckpointError):
        open_checkpoint(tmp_path / name)


def test_a_file_is_no_checkpoint(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    with pytest.raises(NotACheckpointError, match="a folder") as raised:
        open_checkpoint(folder / "model.safetensors")
    assert str(folder) in str(raised.value.hint)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(NotACheckpointError, match="already converted"):
        open_checkpoint(tmp_path / "a.gguf")


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpointError, match=r"no config\.json"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "error"),
    [
        ("config.json", b"{", ConfigError),
        ("config.json", b"[]", ConfigError),
        ("config.json", b"\xff\xff", ConfigError),
        ("config.json", b"{" + b" " * 5_000_000, ConfigError),
        ("config.json", b'{"x":[' + b'{"a":0},' * 100_000 + b"0]}", ConfigError),
        ("config.json", b'{"x":' + b"[" * 500 + b"]" * 500 + b"}", ConfigError),
        ("tokenizer_config.json", b"{" + b" " * (17 * MIB), TokenizerError),
        ("generation_config.json", b"nope", ConfigError),
        ("tokenizer.json", b"[" * 100_000, TokenizerError),
        ("tokenizer_config.json", b'"text"', TokenizerError),
        ("model.safetensors", b"", SourceError),
    ],
)
def test_a_broken_file_is_named(
    tmp_path: Path, file: str, content: bytes, error: type[SourceError]
) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / file).write_bytes(content)
    with pytest.raises(error) as raised:
        open_checkpoint(folder)
    assert raised.value.path == str(folder / file)


class TestChatTemplates:
    def make(self, tmp_path: Path, field: object) -> Path:
        tokenizer, config = byte_tokenizer(chat_template=None)
        if field is not None:
            config["chat_template"] = field
        return write_checkpoint(tmp_path / "model", tokenizer=(tokenizer, config))

    def test_the_file_goes_before_the_field(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path, "field")
        (folder / "chat_template.jinja").write_text("file")
        checkpoint = open_checkpoint(folder)
        assert checkpoint.chat_template == "file"
        (note,) = checkpoint.notes
        assert "different chat templates: chat_template.jinja is taken" in note

    def test_nothing_is_said_where_they_agree(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path, "same")
        (folder / "chat_template.jinja").write_text("same")
        assert open_checkpoint(folder).notes == ()

    def test_named_files_stand_beside_the_field(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path, "field")
        (folder / "additional_chat_templates").mkdir()
        (folder / "additional_chat_templates" / "tool_use.jinja").write_text("tools")
        checkpoint = open_checkpoint(folder)
        assert checkpoint.chat_template == "field"
        assert checkpoint.chat_templates == {"tool_use": "tools"}

    def test_the_files_replace_a_list(self, tmp_path: Path) -> None:
        listed = [{"name": "rag", "template": "b"}, {"name": "default", "template": "a"}]
        folder = self.make(tmp_path, listed)
        (folder / "chat_template.jinja").write_text("a")
        checkpoint = open_checkpoint(folder)
        assert (checkpoint.chat_template, checkpoint.chat_templates) == ("a", {})
        assert checkpoint.notes == ()

    def test_a_list_without_default_is_said(self, tmp_path: Path) -> None:
        checkpoint = open_checkpoint(self.make(tmp_path, [{"name": "rag", "template": "b"}]))
        assert checkpoint.chat_template is None
        (note,) = checkpoint.notes
        assert "(rag) have none called default" in note

    @pytest.mark.parametrize(("count", "size"), [(300, 1), (5, 4 * MIB)])
    def test_too_many_templates(self, tmp_path: Path, count: int, size: int) -> None:
        folder = self.make(tmp_path, "field")
        (folder / "additional_chat_templates").mkdir()
        for number in range(count):
            path = folder / "additional_chat_templates" / f"{number}.jinja"
            path.write_text("x" * size)
        with pytest.raises(TokenizerError, match=r"too many|larger than any"):
            open_checkpoint(folder)

    def test_too_many_templates_in_the_list(self, tmp_path: Path) -> None:
        listed = [{"name": str(number), "template": "a"} for number in range(300)]
        with pytest.raises(TokenizerError, match="larger than any"):
            open_checkpoint(self.make(tmp_path, listed))

    def test_then_jinja_files(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path, None)
        (folder / "chat_template.jinja").write_text("file")
        (folder / "chat_template.json").write_text('{"chat_template": "json"}')
        (folder / "additional_chat_templates").mkdir()
        (folder / "additional_chat_templates" / "tool_use.jinja").write_text("tools")
        checkpoint = open_checkpoint(folder)
        assert checkpoint.chat_template == "file"
        assert checkpoint.chat_templates == {"tool_use": "tools"}

    def test_then_the_json_file(self, tmp_path: Path) -> None:
        folder = self.make(tmp_path, None)
        (folder / "chat_template.json").write_text('{"chat_template": "json"}')
        assert open_checkpoint(folder).chat_template == "json"

    def test_named_templates(self, tmp_path: Path) -> None:
        listed = [{"name": "rag", "template": "b"}, {"name": "default", "template": "a"}]
        checkpoint = open_checkpoint(self.make(tmp_path, listed))
        assert checkpoint.chat_template == "a"
        assert checkpoint.chat_templates == {"rag": "b"}

    def test_none_at_all(self, tmp_path: Path) -> None:
        assert open_checkpoint(self.make(tmp_path, None)).chat_template is None

    @pytest.mark.parametrize("field", [5, {"a": "b"}, ["a"], [{"name": "a"}], [{"template": "a"}]])
    def test_malformed_ones(self, tmp_path: Path, field: object) -> None:
        with pytest.raises(TokenizerError):
            open_checkpoint(self.make(tmp_path, field))


def test_the_same_folder_gives_equal_values(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    assert open_checkpoint(folder) == open_checkpoint(folder)
    assert json.loads((folder / "config.json").read_text()) == open_checkpoint(folder).config
