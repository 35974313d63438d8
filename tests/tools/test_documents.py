"""A folder of documents answers with the right page, or says that it says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewgraph import Documents
from crewgraph.runtime.errors import InvalidCrew, ToolArgumentError
from crewgraph.tools.knowledge.passages import split

MANUAL = Path(__file__).parents[2] / "examples" / "data" / "sqlite_manual"


@pytest.fixture(scope="module")
def manual() -> Documents:
    return Documents(MANUAL, about="The manual of SQLite.")


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("What is the maximum number of columns in a table?", "limits.md"),
        ("What does AUTOINCREMENT do?", "autoinc.md"),
        ("How do I enable foreign key constraints?", "foreignkeys.md"),
        ("What is the difference between VACUUM and auto_vacuum?", "lang_vacuum.md"),
        ("How can a database file become corrupted?", "howtocorrupt.md"),
        ("When should I use SQLite and when a client/server database?", "whentouse.md"),
        ("What is a partial index?", "partialindex.md"),
        ("How do I create an in-memory database?", "inmemorydb.md"),
        ("Which storage classes are there?", "datatype3.md"),
        ("What are the benefits of WITHOUT ROWID tables?", "withoutrowid.md"),
        ("Which functions extract a value from JSON?", "json1.md"),
        ("What happens if I compare 0.1 with 0.3 in floating point?", "floatingpoint.md"),
        ("数据库怎么备份？", "backup.md"),
        ("WAL 模式是什么？", "wal.md"),
    ],
)
async def test_the_right_page_comes_first(manual: Documents, question: str, page: str) -> None:
    found = await manual.search(question)
    assert found.passages[0].source == page
    assert found.passages[0].quote
    assert "".join(found.passages[0].quote.split())[:40] in "".join(found.passages[0].text.split())


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("What is write-ahead logging?", "wal.md"),
        ("How do I insert or update a row if it already exists?", "lang_upsert.md"),
        ("What is a generated column?", "gencol.md"),
    ],
)
async def test_the_right_page_is_among_the_passages(manual: Documents, question: str, page: str) -> None:
    assert page in {p.source for p in (await manual.search(question)).passages}


@pytest.mark.parametrize(
    "question",
    [
        "How do I bake a sourdough bread?",
        "Who won the football world cup in 2010?",
        "今天天气怎么样？",
        "?!",
        "the of and",
    ],
)
async def test_what_the_documents_do_not_speak_of_is_said(manual: Documents, question: str) -> None:
    found = await manual.search(question)
    assert found.passages == []
    assert found.statement("en") == "The documents say nothing about this."
    assert found.statement("zh") == "文档中没有找到相关内容。"
    assert found.evidence("en") == []


async def test_as_many_passages_as_asked_for_the_best_first(manual: Documents) -> None:
    search = manual.tools()[0]
    found = search.read(await search.call({"query": "foreign key constraints", "limit": 7}))
    assert len(found.passages) == 7
    scores = [p.score for p in found.passages]
    assert scores == sorted(scores, reverse=True)
    for wrong in ({"query": ""}, {"query": "a" * 2001}, {"query": "x", "limit": 21}):
        with pytest.raises(ToolArgumentError):
            await search.call(wrong)


async def test_the_answer_quotes_and_cites(manual: Documents) -> None:
    found = await manual.search("What is a partial index?")
    lines = found.statement("en").splitlines()
    assert lines[0].startswith("> ")
    assert lines[1].startswith("> — [partialindex.md")
    assert all(line.startswith("[") for line in found.evidence("en"))


async def test_a_folder_of_chinese_documents_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / "宠物.md").write_text(
        "# 养猫\n\n猫每天需要干净的水。\n\n# 养狗\n\n狗每天要散步两次。\n", "utf-8"
    )
    (tmp_path / "植物.txt").write_text("仙人掌很少需要浇水。", "utf-8")
    documents = Documents(tmp_path)
    found = await documents.search("狗一天散步几次？")
    assert (found.passages[0].source, found.passages[0].heading) == ("宠物.md", "养狗")
    assert (await documents.search("仙人掌要浇水吗？")).passages[0].source == "植物.txt"


LIBRARY = {
    "图书馆.md": "# 开放时间\n\n图书馆周一至周五早上八点开门，晚上九点关门。\n\n# 借书规则\n\n每位读者最多可以借十本书，"
    "借期为三十天，可以续借一次。逾期每天罚款一角。\n\n# 办证\n\n办理借书证需要带身份证和一张照片。",
    "食堂.md": "# 菜单\n\n周三供应红烧牛肉和清蒸鱼。素食窗口在二楼东侧。\n\n# 付款\n\n食堂只接受校园卡和手机支付，不收现金。",
    "游泳馆.md": "# 门票\n\n成人票每张三十元。\n\n# 水温\n\n泳池水温保持在二十七度左右，冬季为二十八度。",
}


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    folder = tmp_path_factory.mktemp("campus")
    for name, text in LIBRARY.items():
        (folder / name).write_text(text, "utf-8")
    return Documents(folder)


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("图书馆几点开门？", "开放时间"),
        ("我可以借几本书？", "借书规则"),
        ("逾期要罚多少钱？", "借书规则"),
        ("办借书证要带什么？", "办证"),
        ("泳池的水温是多少？", "水温"),
        ("食堂能用现金吗？", "付款"),
        ("哪天有牛肉吃？", "菜单"),
        ("素食在哪里？", "菜单"),
    ],
)
async def test_chinese_questions_find_chinese_answers(campus: Documents, question: str, heading: str) -> None:
    assert (await campus.search(question)).passages[0].heading == heading


@pytest.mark.parametrize("question", ["怎么去火车站？", "谁发明了电话？", "推荐一部电影", "如何学习吉他？"])
async def test_chinese_questions_without_an_answer_find_none(campus: Documents, question: str) -> None:
    assert (await campus.search(question)).passages == []


async def test_a_folder_that_is_absent_or_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCrew, match="does not exist"):
        Documents(tmp_path / "nowhere")
    with pytest.raises(InvalidCrew, match=r"holds no \.md, \.txt or \.rst file"):
        await Documents(tmp_path).search("anything")


async def test_documents_are_read_however_they_are_encoded(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("Crème brûlée needs six egg yolks.".encode("latin-1"))
    assert (await Documents(tmp_path).search("How many egg yolks?")).passages[0].source == "latin.txt"


def test_passages_keep_their_headings_and_stay_small() -> None:
    text = (
        "# Top\n\nIntro.\n\n## One\n\n"
        + "A sentence of some length. " * 80
        + "\n\n### Deep\n\nEnd.\n\n## Two\n\nLast."
    )
    passages = list(split(text, "page.md", max_chars=300))
    assert {p.heading for p in passages} == {"Top", "Top › One", "Top › One › Deep", "Top › Two"}
    assert all(len(p.text) <= 330 for p in passages)
    assert "".join(p.text for p in passages).count("A sentence of some length.") == 80
