"""Writing at length."""

from __future__ import annotations

from pydantic import Field

from ai.actions.base import Action, Hands, Occasion


class WriteBlogPost(Action):
    """Write something longer for the blog."""

    name = "write_blog_post"
    summary = "Publish a longer text on your blog."

    title: str = Field(description="its title", min_length=1, max_length=200)
    text: str = Field(description="paragraphs, 100 characters or more", min_length=100, max_length=50_000)

    async def run(self, hands: Hands, occasion: Occasion) -> str:
        number = await hands.blog.publish(self.title, self.text)
        return f"It is published as number {number} of your blog."
