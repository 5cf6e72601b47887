import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { type Address, zeroAddress } from "viem";
import { jobsModule } from "./Jobs.ts";
import type { storageModule } from "./Storage.ts";

const hour = 3_600;

/** Where orders meet bids, above the given storage module. Price feeds are listed later (`Market.setFeed`). */
export const marketModule = (storage: ReturnType<typeof storageModule>) =>
  buildModule("Market", (m) => {
    const { access, token, staking, datasets } = m.useModule(storage);
    const { escrow, jobs } = m.useModule(jobsModule(storage));
    const times = {
      leastWindow: m.getParameter<number>("leastWindow", hour),
      grace: m.getParameter<number>("grace", hour),
    };
    // Chainlink's uptime feed of the rollup's sequencer (docs.chain.link, "L2 sequencer uptime feeds"); none where it has none.
    const sequencerFeed = m.getParameter<Address>("sequencerFeed", zeroAddress);
    return {
      market: m.contract("Market", [access, token, staking, jobs, escrow, datasets, times, sequencerFeed]),
    };
  });
