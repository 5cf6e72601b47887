/** What a colour says. */
export type Tone = "healthy" | "waiting" | "wrong" | "neutral";
