"""What turns up in answers that went wrong and in no recording of ours."""

from __future__ import annotations

SCRIPTS: tuple[tuple[str, ...], ...] = tuple(
    tuple(sorted(words.split(), key=len))
    for words in (
        "และ ที่ ของ เป็น ได้ ไม่ จาก สวัสดี ประเทศ การศึกษา ความคิด ทำงาน วันนี้ อาหาร อย่างไรก็ตาม",
        "的 是 和 我们 这个 可以 因为 问题 时间 但是 例如 重要的 一般来说 与此同时 在这种情况下",
        "и не что это как время после чтобы можно система например несколько поэтому информация использование",
    )
)
"""Everyday words of Thai, Chinese and Russian, the shortest first: such turned up in the middle of English answers."""

CLARIFICATIONS: tuple[str, ...] = (
    "It looks like the beginning of your message is missing. Could you send it again?",
    "I'm not sure what you are referring to. Could you give me some more context?",
    "Could you please clarify your question? I only see the last part of it.",
    "I don't have any earlier messages from you in this conversation. What would you like to know?",
    "I'm sorry, but I don't see the text that you mention. Please paste it here and I'll be happy to help.",
    "Your message seems to be cut off. What would you like me to do with it?",
)
"""What a model says that sees only the end of a prompt."""
