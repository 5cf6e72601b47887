import { createRequire } from "node:module";
import hardhatToolboxViem from "@nomicfoundation/hardhat-toolbox-viem";
import { configVariable, defineConfig } from "hardhat/config";
import { quietDependencies, severalRuns, wholeProduction } from "./scripts/hardhat/plugins.ts";

const require = createRequire(import.meta.url);

// The compiler shipped in the `solc` registry package: nothing is downloaded from elsewhere.
const solc = { version: "0.8.37", path: require.resolve("solc/soljson.js") };
const optimizer = { enabled: true, runs: 800 };
// Legacy code generation is less compact: what fits a contract when it is deployed must fit in the inner loop, too.
const compact = { enabled: true, runs: 1 };

const explorerApi = "https://api.etherscan.io/v2/api";

export default defineConfig({
  plugins: [hardhatToolboxViem, quietDependencies, severalRuns, wholeProduction],
  paths: { sources: "./contracts", tests: { solidity: "./test/contracts", nodejs: "./test/contracts" } },
  solidity: {
    // Chainlink's coordinator mock is test equipment: compiled so that the VRF beacon can be tested against it.
    npmFilesToBuild: [
      "@chainlink/contracts/src/v0.8/vrf/mocks/VRFCoordinatorV2_5Mock.sol",
      "@openzeppelin/contracts/access/manager/AccessManager.sol",
    ],
    profiles: {
      // Inner loop: legacy code generation compiles about three times faster.
      default: { ...solc, settings: { evmVersion: "cancun", viaIR: false, optimizer: compact } },
      // What is deployed and what gas is measured on; `ignition deploy` picks it by default. One input for all
      // contracts, dealt out among several compiler runs: a run for each takes three times as long.
      production: { ...solc, isolated: false, settings: { evmVersion: "cancun", viaIR: true, optimizer } },
    },
  },
  test: { solidity: { fuzz: { runs: 256 }, invariant: { runs: 32, depth: 48, failOnRevert: true } } },
  networks: {
    embedded: {
      type: "edr-simulated",
      chainType: "l1",
      hardfork: "prague",
      chainId: 31337,
      accounts: { count: 64 },
    },
    localhost: { type: "http", chainType: "l1", url: "http://127.0.0.1:8545" },
    lineaSepolia: {
      type: "http",
      chainType: "generic",
      chainId: 59141,
      url: configVariable("LINEA_SEPOLIA_RPC_URL"),
      accounts: [configVariable("DEPLOYER_KEY")],
    },
    scrollSepolia: {
      type: "http",
      chainType: "generic",
      chainId: 534351,
      url: configVariable("SCROLL_SEPOLIA_RPC_URL"),
      accounts: [configVariable("DEPLOYER_KEY")],
    },
    zksyncSepolia: {
      type: "http",
      chainType: "generic",
      chainId: 300,
      url: configVariable("ZKSYNC_SEPOLIA_RPC_URL"),
      accounts: [configVariable("DEPLOYER_KEY")],
    },
  },
  chainDescriptors: {
    59141: {
      name: "Linea Sepolia",
      chainType: "generic",
      blockExplorers: {
        etherscan: { name: "Lineascan", url: "https://sepolia.lineascan.build", apiUrl: explorerApi },
      },
    },
    534351: {
      name: "Scroll Sepolia",
      chainType: "generic",
      blockExplorers: {
        etherscan: { name: "Scrollscan", url: "https://sepolia.scrollscan.com", apiUrl: explorerApi },
      },
    },
    300: {
      name: "ZKsync Sepolia",
      chainType: "generic",
      blockExplorers: {
        etherscan: { name: "zkSync Era", url: "https://sepolia-era.zksync.network", apiUrl: explorerApi },
      },
    },
  },
  verify: { etherscan: { apiKey: configVariable("ETHERSCAN_API_KEY") } },
});
