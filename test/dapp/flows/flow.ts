import type { Browser, Page } from "playwright-core";
import type { World } from "../support/world.ts";

/** What every flow begins with; it is asked for when a test runs, because a network is not there before. */
export type Flow = () => {
  readonly browser: Browser;
  readonly world: World;
  /** Address of the page. */
  readonly url: string;
  /** Opens a page of the page. */
  open(page: Page, path: string): Promise<void>;
};

/** What a keeper of these tests would call itself. */
export const peerId = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
