//! What clients are told, request by request.

use protocol::message::{DescribeClusterRequest, MetadataRequest};
use storage::disk::VirtualDisk;

use crate::testing::Bench;

#[test]
fn describe_cluster_gives_the_authorized_operations_that_metadata_gives() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let described = |bench: &mut Bench, asked: bool| {
        let request = DescribeClusterRequest {
            include_cluster_authorized_operations: asked,
            ..DescribeClusterRequest::default()
        };
        bench.call(&request, 1).cluster_authorized_operations
    };
    let request =
        MetadataRequest { include_cluster_authorized_operations: true, ..MetadataRequest::default() };
    let known = bench.call(&request, 8).cluster_authorized_operations;
    assert_eq!(described(&mut bench, true), known);
    assert_ne!(known, i32::MIN);
    assert_eq!(described(&mut bench, false), i32::MIN);
}
