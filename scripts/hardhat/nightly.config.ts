import config from "../../hardhat.config.ts";

/** Walks long enough to find what the gate's short ones miss; a handler that reverts is a mistake of the walk. */
export default {
  ...config,
  test: {
    solidity: {
      fuzz: { runs: 10_000 },
      invariant: { runs: 1_000, depth: 64, failOnRevert: true },
    },
  },
};
