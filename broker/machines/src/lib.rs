//! State machines that know no socket, disk, thread or clock.
