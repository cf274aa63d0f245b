//! The MTU: what it lets through each way, what it needs, and what it changes in the card.

use gannet::{Error, PortConfig, RxQueueConfig};
use gannet_bus::{Device, Registers};
use gannet_spec::x82599::regs::{FCRTH, FlowThreshold, HLREG0, Hlreg0, MAXFRS, TXPBTHRESH};

use super::frames::numbered;
use super::harness::{Rig, burst_of, bytes, pool_of};

fn config(mtu: u16, data_room: u16) -> PortConfig {
    PortConfig { mtu, ..PortConfig::new(&pool_of(256, data_room), 64) }
}

/// A frame with a VLAN tag.
fn tagged(number: u32, len: usize) -> Vec<u8> {
    let mut frame = numbered(number, len);
    frame[12..14].copy_from_slice(&[0x81, 0x00]);
    frame
}

#[test]
fn frames_of_the_mtu_pass_and_longer_ones_are_counted() {
    for (mtu, data_room) in [(1500, 2048), (1501, 2048), (2030, 2048), (9000, 9216), (15_854, 16_384)] {
        let mut rig = Rig::new();
        let config = config(mtu, data_room);
        let pool = config.rx[0].pool.clone();
        let mut port = rig.start(config);
        let longest = 14 + usize::from(mtu);
        let frames = [tagged(1, longest + 4), numbered(2, longest), numbered(3, 60)];
        rig.offer([&frames[..], &[numbered(4, longest + 1), tagged(5, longest + 5)]].concat());
        assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), frames, "{mtu}");
        assert_eq!((port.control.stats().rx_oversize, port.queues.rx[0].stats().oversize), (2, 0), "{mtu}");
        let tx = &mut port.queues.tx[0];
        rig.send_all(tx, &mut burst_of(&pool, &frames));
        assert_eq!(rig.sent(), frames, "{mtu}");
        // The card adds a tag to none: what is sent may have one.
        let too_long = longest + 5;
        if too_long <= usize::from(data_room) {
            tx.send(&mut burst_of(&pool, &[numbered(6, too_long)]));
            assert_eq!((tx.stats().packets, tx.stats().invalid), (3, 1), "{mtu}");
        }
        port.stop();
        rig.assert_clean();
    }
}

#[test]
fn a_smaller_mtu_limits_what_is_sent_only() {
    let mut rig = Rig::new();
    let config = config(68, 1024);
    let pool = config.rx[0].pool.clone();
    let mut port = rig.start(config);
    let mut burst = burst_of(&pool, &[numbered(1, 86), numbered(2, 87)]);
    assert_eq!(port.queues.tx[0].send(&mut burst), 1);
    assert_eq!(port.queues.tx[0].stats().invalid, 1);
    rig.offer([numbered(3, 1024)]);
    assert_eq!(bytes(&rig.receive_all(&mut port.queues.rx[0])), [numbered(3, 1024)]);
}

#[test]
fn an_mtu_that_no_card_has_is_refused() {
    for mtu in [0, 67, 15_855, u16::MAX] {
        let refused = Rig::new().probe().unwrap().configure(config(mtu, 16_384)).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains(&format!("an MTU of {mtu} bytes: 68 to 15854 are possible")), "{text}");
    }
}

#[test]
fn buffers_must_hold_a_tagged_frame_of_a_larger_mtu() {
    for (mtu, needed) in [(1501, 2048), (2030, 2048), (2031, 3072), (9000, 9216), (15_854, 16_384)] {
        let port = Rig::new().probe().unwrap();
        assert_eq!(gannet::data_room_for(mtu), needed);
        port.check(&config(mtu, needed)).unwrap();
        let error = port.check(&config(mtu, needed - 1)).unwrap_err();
        assert!(matches!(error, Error::BuffersTooSmall { room, .. } if room == needed - 1), "{error}");
        assert!(error.to_string().contains(&format!("a data_room of {needed} bytes")), "{error}");
        // The smallest of all queues counts.
        let mut mixed = config(mtu, needed);
        mixed.rx.push(RxQueueConfig { descriptors: 64, pool: pool_of(64, 1024) });
        assert!(matches!(port.check(&mixed), Err(Error::BuffersTooSmall { room: 1024, .. })));
        // What is bounced is sent from one buffer, of any length.
        let bounced = |room| PortConfig { bounce: Some(pool_of(64, room)), ..config(mtu, needed) };
        port.check(&bounced(mtu + 18)).unwrap();
        let text = port.check(&bounced(mtu + 17)).unwrap_err().to_string();
        assert!(text.contains(&format!("the bounce pool's buffers need {} bytes", mtu + 18)), "{text}");
    }
}

#[test]
fn flow_control_and_the_transmit_buffer_leave_room_for_long_frames() {
    let registers = |mtu, data_room| {
        let rig = Rig::new();
        let port = rig.start(config(mtu, data_room));
        let bar = rig.device.bar(0).unwrap();
        let jumbo = Hlreg0::from(bar.read(HLREG0.offset())).jumbo();
        let xoff = FlowThreshold::from(bar.read(FCRTH.get(0).offset())).granules();
        let threshold = bar.read(TXPBTHRESH.get(0).offset());
        let longest = bar.read(MAXFRS.offset()) >> 16;
        port.stop();
        (jumbo, longest, u32::from(xoff) * 32, threshold)
    };
    assert_eq!(registers(1500, 1024), (false, 1518, 0x8_0000 - 0x6000, 150));
    assert_eq!(registers(9000, 9216), (true, 9018, 0x8_0000 - 0x6000 - 30_016, 150));
    assert_eq!(registers(15_854, 16_384), (true, 15_872, 0x8_0000 - 0x6000 - 57_440, 144));
}

#[test]
fn a_stopped_port_takes_another_mtu() {
    let mut rig = Rig::new();
    let large = pool_of(256, 9216);
    let mut port = rig.start(PortConfig { mtu: 9000, ..PortConfig::new(&large, 64) }).stop();
    for (mtu, arrive) in [(1500, 0), (9000, 1)] {
        let (control, mut queues) =
            port.configure(PortConfig { mtu, ..PortConfig::new(&large, 64) }).unwrap().start().unwrap();
        assert_ne!(control.wait_for_link(std::time::Duration::from_secs(9)), gannet::Link::Down);
        rig.offer([numbered(1, 9014)]);
        assert_eq!(rig.receive_all(&mut queues.rx[0]).len(), arrive);
        port = control.stop(queues).unwrap();
    }
    rig.assert_clean();
}
