/** Somebody in a walk. */
export interface Agent {
  /** Does what is due now. Says whether something was done that others may have to answer. */
  act(): Promise<boolean>;
}
