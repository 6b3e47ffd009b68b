"""What rows are made of: conversations, source code, a repository, a saved data set; and the verbs that read them."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tiny import TEXTS

from fuzz.subject import TRAIN, Subject

OUT = "out.jsonl"
ROWS = (
    ("data", "table", "m", OUT, "--json"),
    ("data", "check", "m", "--json"),
    ("data", "split", "m", OUT, "held.jsonl"),
)


def build(root: Path) -> list[Subject]:
    """A subject a source, written under `root`; a repository only where git is installed."""
    found = []
    for name, (write, calls) in SOURCES.items():
        if name != "repository" or shutil.which("git"):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
            where = f"m{path.suffix if path.is_file() else ''}"
            given = tuple(tuple(where if word == "m" else word for word in call) for call in calls)
            found.append(Subject(f"data:{name}", path, given))
    return found


def _chats(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute(
            "create table messages (id integer primary key, conversation_id, sender, text, timestamp, reply_to)"
        )
        rows = [
            (at, f"room {at // 6}", "ab"[at % 2], TEXTS[at % 6], 1e9 + 60 * at, at - 1 or None) for at in range(1, 13)
        ]
        base.executemany("insert into messages values (?, ?, ?, ?, ?, ?)", rows)
    base.close()


def _apple(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute(
            "create table message (ROWID integer primary key, guid, text, attributedBody, date, is_from_me, handle_id)"
        )
        base.execute("create table chat (ROWID integer primary key, chat_identifier)")
        base.execute("create table handle (ROWID integer primary key, id)")
        base.execute("create table chat_message_join (chat_id, message_id)")
        base.execute("insert into chat values (1, 'a')")
        base.execute("insert into handle values (1, '+1')")
        for at, text in enumerate(TEXTS, 1):
            body = b"\x04\x0bstreamtyped\x81\xe8\x03NSString\x01\x94\x84\x01+" + bytes([len(text)]) + text.encode()
            values = (at, f"g{at}", text if at % 2 else None, body, at * 10**11, at % 2, 1)
            base.execute("insert into message values (?, ?, ?, ?, ?, ?, ?)", values)
            base.execute("insert into chat_message_join values (1, ?)", (at,))
    base.close()


def _irc(path: Path) -> None:
    path.mkdir()
    lines = [f"[10:{at:02}] <{'ab'[at % 2]}> {text}" for at, text in enumerate(TEXTS)]
    (path / "2004-11-15.ascii.txt").write_text("\n".join(lines) + "\n")
    links = [f"{at} {at + 1} -" for at in range(len(TEXTS) - 1)]
    (path / "2004-11-15.annotation.txt").write_text("\n".join(links) + "\n")


CODE = {
    "shop.py": '''
class Shop:
    def total(self, rate):
        """Sum of all prices."""
        found = [price * rate for price in self.prices]
        return sum(found)
''',
    "shop.js": """
/** Sum of all prices. */
export const total = (a, rate) => {
  const b = a.map((x) => x * rate);
  return b.reduce((x, y) => x + y, 0);
};
""",
    "shop.tsx": """
// Sum of all prices.
function total(a: number[], rate: number) {
  const b = a.map((x) => x * rate);
  return <b>{b.length}</b>;
}
""",
    "shop.go": """
package a

// Total sums all prices.
func (s *Shop) Total(a []int) int {
\tb := 0
\tfor _, c := range a {
\t\tb += c
\t}
\treturn b
}
""",
    "shop.rs": """
impl Shop {
    /// Sum of all prices.
    #[inline]
    fn total(&self, a: &[i32]) -> i32 {
        let b = a.iter();
        b.map(|c| c * self.rate).sum()
    }
}
""",
    "Shop.java": """
class Shop {
  /** Sum of all prices. */
  int total(int[] a) {
    int b = 0;
    for (int c : a) b += c;
    return b;
  }
}
""",
    "shop.c": """
/* Sum of all prices. */
static int total(const int *a, int n)
{
  int b = 0;
  for (int c = 0; c < n; c++) b += a[c];
  return b;
}
""",
    "shop.cpp": """
/// Sum of all prices.
template <class T> T Shop<T>::total(const T *a, int n) const {
  T b = 0;
  for (int c = 0; c < n; c++) b += a[c];
  return b;
}
""",
    "shop.ex": """
defmodule Shop do
  @doc "Sum of all prices."
  def total([]), do: 0

  def total([a | b]) do
    c = total(b)
    a + c + 1
  end
end
""",
}


def _code(path: Path) -> None:
    path.mkdir()
    for name, text in CODE.items():
        (path / name).write_text(text)


def _repository(path: Path) -> None:
    path.mkdir()
    known = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    known |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        known |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@b", f"GIT_{who}_DATE": "2024-01-01T00:00:00Z"}
    words = (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Sum the prices of all shops"))
    for number, name in enumerate(("shop.py", "shop.go", "Shop.java")):
        (path / name).write_text(CODE[name])
        for call in words[bool(number) :]:
            subprocess.run(["git", *call], cwd=path, env=known, check=True, capture_output=True)


def _saved(path: Path) -> None:
    import pyarrow

    columns = {"anchor": TEXTS, "positive": [f"{text} 1" for text in TEXTS], "label": [1] * len(TEXTS)}
    table = pyarrow.table(columns)
    path.mkdir()
    name = "data-00000-of-00001.arrow"
    with pyarrow.OSFile(str(path / name), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}], "_split": "train"}))
    label = {"names": ["different", "same"], "_type": "ClassLabel"}
    (path / "dataset_info.json").write_text(json.dumps({"features": {"label": label}}))


def _kinds(*kinds: str) -> tuple[tuple[str, ...], ...]:
    return tuple(("data", "code", "m", OUT, "--kind", kind, "--json") for kind in kinds)


MESSAGES = (
    ("data", "messages", "m", OUT, "--json"),
    ("data", "messages", "m", OUT, "--rows", "threads", "--json"),
    ("data", "messages", "m", OUT, "--held-out", "held.jsonl", "--by", "thread", "--negatives", "1"),
)
SOURCES: Mapping[str, tuple[Callable[[Path], None], tuple[tuple[str, ...], ...]]] = {
    "chats.db": (_chats, MESSAGES),
    "apple.db": (_apple, MESSAGES),
    "irc": (_irc, MESSAGES),
    "code": (_code, _kinds("docstring", "name", "chunks")),
    "repository": (_repository, _kinds("commit", "docstring")),
    "saved": (_saved, (*ROWS, ("train", "--model", "{model}", "--data", "m", "--out", "out", *TRAIN))),
}
