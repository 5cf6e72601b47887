// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A plain token that anyone may mint.
contract PlainToken is ERC20("Plain", "PLAIN") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Keeps one percent of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) ? 0 : value / 100;
        super._update(from, to, value - fee);
        if (fee != 0) super._update(from, address(0), fee);
    }
}

/// @notice Refuses transfers to and from listed accounts.
contract BlacklistToken is ERC20("Blacklist", "BLACK") {
    error Listed(address account);

    mapping(address account => bool) public listed;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function list(address account) external {
        listed[account] = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (listed[from]) revert Listed(from);
        if (listed[to]) revert Listed(to);
        super._update(from, to, value);
    }
}

/// @notice Calls the recipient (or any chosen account) in the middle of every transfer, as ERC-777 hooks do.
contract HookToken is ERC20("Hook", "HOOK") {
    address public target;
    bytes public payload;
    /// Whether the call made from inside the last transfer got through.
    bool public entered;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function arm(address target_, bytes calldata payload_) external {
        target = target_;
        payload = payload_;
        entered = false;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (target == address(0)) return;
        (bool ok, ) = target.call(payload);
        entered = entered || ok;
    }
}

/// @notice Returns nothing from transfers, as some old tokens do.
contract SilentToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}
