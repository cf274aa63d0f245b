//! A driver gone mad: random registers, descriptors and frames. The card must survive, and touch only what is mapped.

use gannet_bus::Registers;
use gannet_sim::x82599::Fault;
use gannet_spec::x82599::desc::{TxData, tx_command};
use gannet_spec::x82599::regs::{self, Rxdctl, Srrctl, Txdctl};

use super::frames::{MAC, plain, tagged, tcp, udp};
use super::harness::{Bench, RING};

/// Repeatable noise (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 8) % end
    }
}

#[test]
fn random_registers_do_no_harm() {
    let mut noise = Noise(1);
    for _ in 0..20 {
        let mut bench = Bench::started();
        for _ in 0..2000 {
            let (offset, value) = (noise.below(0x2_0010) as u32 & !3, noise.next() as u32);
            // Resets and master disable would make the rest dull.
            if offset > 4 {
                bench.bar.write(offset, value);
            }
            bench.bar.read(noise.below(0x2_0010) as u32);
            bench.clock.advance(std::time::Duration::from_micros(noise.below(20)));
        }
        for queue in 0..128 {
            bench.write(regs::SRRCTL.get(queue), Srrctl::new().with_buffer_kib(1).with_descriptor_type(1));
            bench.write(regs::RXDCTL.get(queue), Rxdctl::new().with_enable(true));
            bench.write(regs::TXDCTL.get(queue), Txdctl::new().with_enable(true));
        }
        bench.clock.advance(std::time::Duration::from_millis(1));
        for _ in 0..200 {
            let tail = if noise.below(2) == 0 {
                regs::RDT.get(noise.below(128) as u32)
            } else {
                regs::TDT.get(noise.below(128) as u32)
            };
            bench.write(tail, noise.below(200) as u32);
            bench.cable.lock().unwrap().to_card.push_back((random_frame(&mut noise), noise.below(10) == 0));
            bench.nic.step(8);
        }
    }
}

fn random_frame(noise: &mut Noise) -> Vec<u8> {
    let mut frame = match noise.below(4) {
        0 => udp(noise.below(1400) as usize),
        1 => tcp(noise.below(1400) as usize),
        2 => tagged(tcp(noise.below(1400) as usize), noise.next() as u16),
        _ => plain(MAC, 14 + noise.below(1600) as usize),
    };
    if noise.below(4) == 0 {
        frame.splice(12..14, [0x86, 0xDD, 0x60]);
    }
    for _ in 0..noise.below(4) {
        let at = noise.below(frame.len() as u64) as usize;
        frame[at] = noise.next() as u8;
    }
    frame.truncate(noise.below(1600) as usize + 1);
    frame
}

#[test]
fn random_descriptors_do_no_harm() {
    let mut noise = Noise(7);
    let mut bench = Bench::started();
    for fault in [Fault::EarlyDone { every: 5 }, Fault::DoneOutOfOrder { every: 3 }, Fault::GarbageStatus { every: 7 }]
    {
        bench.probe.inject(fault);
    }
    for _ in 0..5000 {
        let position = noise.below(RING.into()) as u32;
        let buffer = bench.memory.iova().0 + noise.below(5 << 20);
        let command = noise.next() as u32 & 0xFF00_0000 | tx_command::DTYP_DATA | tx_command::DEXT;
        let length = noise.below(3000) as u16;
        let words = match noise.below(8) {
            0 => [noise.next(), noise.next()],
            1 => [noise.next(), u64::from(tx_command::DTYP_CONTEXT | tx_command::DEXT) | noise.next() << 32],
            _ => TxData { buffer, length, command: command & !tx_command::TSE, payload_length: length.into() }.words(),
        };
        bench.tx_ring(0).descriptors().store(position, words);
        bench
            .rx_ring(0)
            .descriptors()
            .store(position, [if noise.below(5) == 0 { noise.next() } else { buffer }, noise.below(2)]);
        bench.write(regs::TDT.get(0), noise.below(u64::from(RING) + 2) as u32);
        bench.write(regs::RDT.get(0), noise.below(u64::from(RING) + 2) as u32);
        bench.cable.lock().unwrap().to_card.push_back((random_frame(&mut noise), false));
        bench.cable.lock().unwrap().busy = noise.below(4) == 0;
        bench.nic.step(8);
    }
    assert!(!bench.sent().is_empty());
    assert!(bench.probe.dma_fault_count() > 0);
}
