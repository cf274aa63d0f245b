//! What the card may reach.

use std::io::Write;

use gannet_bus::pci::{BusMaster, set_bus_master};
use gannet_bus::{Device, DmaAccess, Registers};
use gannet_mempool::dma::{Checked, DmaMapping, External, Verdict};
use gannet_mempool::region::{Backing, Region};
use gannet_sim::iommu::{Direction, DmaFault};
use gannet_spec::x82599::desc::{RxRead, TxData, tx_command};
use gannet_spec::x82599::regs;

use super::frames::{MAC, plain};
use super::harness::{Bench, MEMORY, region};

#[test]
fn iovas_are_aligned_apart_and_no_addresses_of_this_process() {
    let bench = Bench::new();
    let more = DmaMapping::new(bench.device.dma(), region(4096)).unwrap();
    let iovas = [bench.memory.iova().0, more.iova().0];
    assert!(iovas.iter().all(|iova| *iova >= 1 << 32 && iova.is_multiple_of(2 << 20)));
    assert!(iovas[1] >= iovas[0] + MEMORY as u64 + (2 << 20));
    assert_ne!(iovas[1], more.region().base().as_ptr() as u64);
    let other = Bench::new();
    assert_ne!(other.memory.iova(), bench.memory.iova());
}

#[test]
fn a_region_without_a_file_is_refused_with_its_remedy() {
    let options = gannet_mempool::region::RegionOptions { backing: Backing::Anonymous, ..Default::default() };
    let region = match Region::new(4096, options) {
        Ok(region) => region,
        Err(why) => {
            return gannet_harness::skip(&why.to_string());
        }
    };
    let bench = Bench::new();
    let error = DmaMapping::new(bench.device.dma(), region).unwrap_err();
    assert!(error.to_string().contains("Backing::Shared"), "{error}");
}

#[test]
fn dma_streaming_file_is_readable_for_the_card_and_a_write_to_it_is_a_fault() {
    let mut bench = Bench::started();
    let mut file = tempfile::tempfile().unwrap();
    let content = plain(MAC, 5000);
    file.write_all(&content).unwrap();
    let memory = External::file(&file).unwrap();
    memory.map(&bench.device.dma()).unwrap();
    let iova = memory.iova(&bench.device.dma()).unwrap().0;

    let command = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::EOP | tx_command::RS | tx_command::IFCS;
    let data = TxData { buffer: iova + 4096, length: 904, command, payload_length: 904 };
    bench.tx_ring(0).descriptors().store(0, data.words());
    bench.write(regs::TDT.get(0), 1);
    bench.step();
    assert!(bench.done(0));
    assert_eq!(bench.sent(), [&content[4096..]]);
    assert_eq!(bench.probe.dma_fault_count(), 0);

    for position in 0..2 {
        bench.rx_ring(0).descriptors().store(position, RxRead { buffer: iova }.words());
    }
    bench.receive(plain(MAC, 60));
    bench.receive(plain(MAC, 60));
    let fault = DmaFault { iova, len: 60, direction: Direction::Write };
    assert_eq!(bench.probe.dma_faults(), [fault, fault]);
    assert_eq!(memory.bytes(), content, "and nothing was written");

    drop(memory);
    bench.tx_ring(0).descriptors().store(1, data.words());
    bench.write(regs::TDT.get(0), 2);
    bench.step();
    assert_eq!(bench.probe.dma_faults().last().map(|fault| fault.iova), Some(iova + 4096), "unmapped");
}

#[test]
fn dma_debug_fault_of_the_card_is_told_as_use_after_unmap() {
    let mut bench = Bench::started();
    let checked = Checked::new(bench.device.dma());
    let mapping = DmaMapping::new(checked.clone(), region(4096)).unwrap();
    let iova = mapping.iova().0;
    for position in 0..2 {
        bench.rx_ring(0).descriptors().store(position, RxRead { buffer: iova + 1024 }.words());
    }
    bench.receive(plain(MAC, 60));
    assert!(bench.device.dma_faults().is_empty());
    drop(mapping);
    bench.receive(plain(MAC, 60));
    let [fault] = bench.device.dma_faults()[..] else { panic!("one fault") };
    let verdict = checked.explain(fault.iova);
    assert!(matches!(verdict, Verdict::Unmapped { record, .. } if record.iova.0 == iova), "{verdict}");
    assert!(verdict.to_string().contains(&format!("by {}:", file!())), "{verdict}");
}

#[test]
fn dma_streaming_memory_without_a_file_is_refused_with_its_remedy() {
    let bench = Bench::new();
    let memory = External::new(vec![0u8; 64], drop);
    let text = memory.map(&bench.device.dma()).unwrap_err().to_string();
    assert!(text.ends_with("lend it a file (External::file), or have the bytes copied to a pool's buffer"), "{text}");
}

#[test]
fn a_receive_buffer_that_is_not_mapped_is_a_fault_and_nothing_else() {
    let mut bench = Bench::started();
    // An address of this process is none of the card's.
    let wrong = region(4096).base().as_ptr() as u64;
    bench.rx_ring(0).descriptors().store(0, RxRead { buffer: wrong }.words());
    bench.receive(plain(MAC, 60));
    assert_eq!(bench.probe.dma_faults(), [DmaFault { iova: wrong, len: 60, direction: Direction::Write }]);
    assert_eq!(bench.rx_ring(0).descriptors().load_low(0), wrong, "no write-back");
    bench.receive(plain(MAC, 61));
    assert_eq!(bench.write_back(0, 1).length(), 61, "the next frame is in the next descriptor");
    assert_eq!(bench.probe.dma_fault_count(), 1);
}

#[test]
fn the_device_tells_each_fault_once_and_the_probe_keeps_them() {
    let mut bench = Bench::started();
    let faults = |bench: &Bench| -> Vec<_> {
        bench.device.dma_faults().into_iter().map(|fault| (fault.iova.0, fault.access)).collect()
    };
    assert_eq!(faults(&bench), []);
    for position in 0..3 {
        bench.rx_ring(0).descriptors().store(position, RxRead { buffer: 0x1000 + u64::from(position) }.words());
    }
    bench.receive(plain(MAC, 60));
    bench.receive(plain(MAC, 60));
    assert_eq!(faults(&bench), [(0x1000, DmaAccess::Write), (0x1001, DmaAccess::Write)]);
    assert_eq!(faults(&bench), []);
    bench.receive(plain(MAC, 60));
    assert_eq!(faults(&bench), [(0x1002, DmaAccess::Write)]);
    assert_eq!(bench.probe.dma_faults().len(), 3);
}

#[test]
fn a_buffer_that_ends_outside_is_a_fault() {
    let mut bench = Bench::started();
    let end = bench.memory.iova().0 + MEMORY as u64;
    let wrong = [end - 59, u64::MAX - 3, u64::MAX - 59, 0];
    for (position, buffer) in (0..).zip(wrong) {
        bench.rx_ring(0).descriptors().store(position, RxRead { buffer }.words());
    }
    for buffer in wrong {
        bench.receive(plain(MAC, 60));
        assert_eq!(
            bench.probe.dma_faults().pop(),
            Some(DmaFault { iova: buffer, len: 60, direction: Direction::Write })
        );
    }
    assert_eq!(bench.probe.dma_fault_count(), 4);
}

#[test]
fn a_transmit_buffer_that_is_not_mapped_sends_and_reports_nothing() {
    let mut bench = Bench::started();
    let command = tx_command::DTYP_DATA | tx_command::DEXT | tx_command::EOP | tx_command::RS | tx_command::IFCS;
    let data = TxData { buffer: 0x1000, length: 60, command, payload_length: 60 };
    bench.tx_ring(0).descriptors().store(0, data.words());
    bench.write(regs::TDT.get(0), 1);
    bench.step();
    assert_eq!(bench.probe.dma_faults(), [DmaFault { iova: 0x1000, len: 60, direction: Direction::Read }]);
    assert!(bench.sent().is_empty() && !bench.done(0));
}

#[test]
fn a_ring_that_was_unmapped_is_a_fault() {
    let mut bench = Bench::started();
    bench.receive(plain(MAC, 60));
    assert_eq!(bench.write_back(0, 0).length(), 60);
    bench.device.dma().unmap(bench.memory.iova(), &region(MEMORY));
    bench.receive(plain(MAC, 60));
    assert!(bench.probe.dma_fault_count() > 0);
    assert_eq!(bench.write_back(0, 1).high, 0);
}

#[test]
fn without_bus_mastering_there_is_no_dma() {
    let mut bench = Bench::started();
    set_bus_master(&bench.device, BusMaster::Off).unwrap();
    bench.put(0, &plain(MAC, 60), 60, tx_command::EOP | tx_command::RS);
    bench.write(regs::TDT.get(0), 1);
    bench.receive(plain(MAC, 60));
    assert!(bench.sent().is_empty() && !bench.done(0));
    assert_eq!(bench.write_back(0, 0).high, 0);
    set_bus_master(&bench.device, BusMaster::On).unwrap();
    bench.step();
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.write_back(0, 0).length(), 60);
}

#[test]
fn registers_answer_only_with_memory_space_on() {
    let bench = Bench::new();
    bench.device.config_write(gannet_bus::pci::COMMAND, &[0, 0]).unwrap();
    assert_eq!(bench.bar.read(regs::STATUS.offset()), u32::MAX);
}
