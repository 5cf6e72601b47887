// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const verifierRegistryAbi = parseAbi([
  "function MAX_INPUTS() view returns (uint256)",
  "function authority() view returns (address)",
  "function isConsumingScheduledOp() view returns (bytes4)",
  "function keyInfo(bytes32 keyHash) view returns (address data, bytes32 circuit, bool development, uint256 inputs)",
  "function register(bytes32 circuit, bytes key) returns (bytes32 keyHash)",
  "function setAuthority(address newAuthority)",
  "function verify(bytes32 keyHash, uint256[8] proof, uint256[] inputs) view returns (bool)",
  "function verifyCompressed(bytes32 keyHash, uint256[4] proof, uint256[] inputs) view returns (bool)",
  "event AuthorityUpdated(address authority)",
  "event KeyRegistered(bytes32 indexed keyHash, bytes32 indexed circuit, bool development, uint256 inputs, address data)",
  "error AccessManagedInvalidAuthority(address authority)",
  "error AccessManagedRequiredDelay(address caller, uint32 delay)",
  "error AccessManagedUnauthorized(address caller)",
  "error CreationFailed()",
  "error DataTooLong(uint256 length)",
  "error DevelopmentKeyOnPublicChain(uint256 chainId)",
  "error InvalidKeyLength(uint256 length)",
  "error InvalidKeyPoint()",
  "error KeyExists(bytes32 keyHash)",
]);
