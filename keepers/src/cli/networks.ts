/** Networks of hardhat.config.ts with their chain ids. */
export const networks = {
  localhost: 31337,
  lineaSepolia: 59141,
  scrollSepolia: 534351,
  zksyncSepolia: 300,
} as const;
export const beacons = {
  "commit-reveal": "CommitRevealBeacon",
  drand: "DrandBeacon",
  vrf: "VrfBeacon",
} as const;
