// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The cheatcodes that the Solidity tests use
/// @dev Only what is called somewhere; signatures are those of Foundry, which Hardhat's test runner implements.
// solhint-disable-next-line interface-starts-with-i
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;

    function warp(uint256 timestamp) external;

    function fee(uint256 baseFee) external;
    function roll(uint256 blockNumber) external;
    function chainId(uint256 id) external;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
    function store(address account, bytes32 slot, bytes32 value) external;
    function load(address account, bytes32 slot) external view returns (bytes32);

    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function expectPartialRevert(bytes4 selector) external;
    function expectEmit() external;
    function expectEmit(address emitter) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);

    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function assume(bool condition) external pure;
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool);

    function assertTrue(bool condition, string calldata message) external pure;
    function assertFalse(bool condition, string calldata message) external pure;
    function assertEq(uint256 left, uint256 right, string calldata message) external pure;
    function assertEq(int256 left, int256 right, string calldata message) external pure;
    function assertEq(address left, address right, string calldata message) external pure;
    function assertEq(bytes32 left, bytes32 right, string calldata message) external pure;
    function assertEq(bool left, bool right, string calldata message) external pure;
    function assertEq(bytes calldata left, bytes calldata right, string calldata message) external pure;
    function assertEq(string calldata left, string calldata right, string calldata message) external pure;
    function assertNotEq(uint256 left, uint256 right, string calldata message) external pure;
    function assertNotEq(bytes32 left, bytes32 right, string calldata message) external pure;
    function assertLe(uint256 left, uint256 right, string calldata message) external pure;
    function assertLt(uint256 left, uint256 right, string calldata message) external pure;
    function assertGe(uint256 left, uint256 right, string calldata message) external pure;
    function assertGt(uint256 left, uint256 right, string calldata message) external pure;
}

/// @title Base of the Solidity tests
/// @notice A test contract's `test…` functions run one by one after `setUp`, `testFuzz_…` ones with random arguments,
/// `invariant_…` ones after random walks over the functions of the targeted contracts.
abstract contract MiniTest {
    // solhint-disable-next-line const-name-snakecase
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    address[] private _targets;

    /// @notice Read by the runner: the contracts whose functions a random walk calls.
    function targetContracts() external view returns (address[] memory) {
        return _targets;
    }

    /// @dev Restricts random walks to `target` and those named before it.
    function targetContract(address target) internal {
        _targets.push(target);
    }

    /// @dev An address that is stable across runs and tells its name in a trace's source.
    function actor(string memory name) internal pure returns (address) {
        return vm.addr(keyOf(name));
    }

    /// @dev Private key behind `actor(name)`.
    function keyOf(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name)));
    }

    /// @dev Folds any value into [low, high], both included.
    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        if (value >= low && value <= high) return value;
        uint256 span = high - low;
        return span == type(uint256).max ? value : low + (value % (span + 1));
    }

    /// @dev Requires that `emitter` is on record with events of these selectors, in this order, and with no others.
    function requireEvents(Vm.Log[] memory logs, address emitter, bytes memory selectors) internal pure {
        bytes memory found;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == emitter) found = bytes.concat(found, logs[i].topics[0]);
        }
        vm.assertEq(found, selectors, "events");
    }

    /// @dev Moves the clock forward by `duration` seconds.
    function skip(uint256 duration) internal {
        vm.warp(block.timestamp + duration);
    }
}
