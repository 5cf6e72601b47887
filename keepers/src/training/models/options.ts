import { z } from "zod";

/** A count of units, channels or classes. */
export const width = (most: number) => z.int().min(1).max(most);

export const batch = z.int().min(1).max(65_536).default(64).describe("samples computed at once");
export const classes = z.int().min(2).max(65_536).default(10).describe("classes to tell apart");
export const inputs = width(1_048_576).default(64).describe("numbers in one sample");
