//! The body of `POST /devices/register`, as the firmware builds it.

use serde::Serialize;

use crate::identity::Identity;

/// The members of the body in the firmware's order.
#[derive(Serialize)]
struct Body {
    uuid: String,
    product_id: &'static str,
    product_hex: String,
    device_class: &'static str,
    public_key: String,
    registering_application: &'static str,
    registering_version: &'static str,
    mcu: Mcu,
    network: [Network; 4],
    partitions: [Partition; 7],
}

#[derive(Serialize)]
struct Mcu {
    model: &'static str,
    revision: u16,
    cpu_freq_mhz: u16,
    cores: u8,
    /// Bytes.
    flash_chip_size: u32,
    /// MHz.
    flash_chip_speed: u16,
    flash_chip_mode: &'static str,
    /// Bytes.
    psram_size: u32,
    features: [&'static str; 4],
    idf_version: &'static str,
}

#[derive(Serialize)]
struct Network {
    interface: &'static str,
    mac_address: String,
}

#[derive(Serialize)]
struct Partition {
    r#type: u8,
    subtype: u8,
    /// Offset in flash, bytes.
    address: u32,
    /// Bytes.
    size: u32,
    label: &'static str,
}

const MCU: Mcu = Mcu {
    model: "ESP32-S3",
    revision: 2,
    cpu_freq_mhz: 240,
    cores: 2,
    flash_chip_size: 16 << 20,
    flash_chip_speed: 80,
    flash_chip_mode: "QIO",
    psram_size: 8 << 20,
    features: ["WiFi 802.11 b/g/n", "Bluetooth LE", "Embedded PSRAM", "Embedded Flash"],
    idf_version: "v5.5.1",
};

const PARTITIONS: [Partition; 7] = [
    partition(1, 2, 0x9000, 0x6000, "nvs"),
    partition(1, 0, 0xf000, 0x2000, "otadata"),
    partition(1, 1, 0x11000, 0x1000, "phy_init"),
    partition(0, 16, 0x20000, 0x30_0000, "ota_0"),
    partition(0, 17, 0x32_0000, 0x30_0000, "ota_1"),
    partition(1, 130, 0x62_0000, 0x20_0000, "www"),
    partition(1, 130, 0x82_0000, 0x20_0000, "config"),
];

const fn partition(r#type: u8, subtype: u8, address: u32, size: u32, label: &'static str) -> Partition {
    Partition { r#type, subtype, address, size, label }
}

/// Returns the JSON body with which this device registers: the same bytes each time.
///
/// A real controller reads its hardware from its chip. Here it is an ESP32-S3 with 16 MiB of flash, and the four MAC
/// addresses follow from the UUID.
pub fn registration_body(identity: &Identity) -> Vec<u8> {
    let uuid = identity.uuid().to_string();
    let interfaces = ["wifi_sta", "wifi_ap", "bluetooth", "ethernet"];
    let mut last_byte = 0;
    let body = Body {
        product_id: "FireFly Controller",
        product_hex: identity.product_hex().to_string(),
        device_class: "CONTROLLER",
        public_key: identity.public_key().to_base64(),
        registering_application: "FireFly Controller",
        registering_version: "2025.6.1",
        mcu: MCU,
        network: interfaces.map(|interface| {
            let mac_address = mac_address(&uuid, last_byte);
            last_byte += 1;
            Network { interface, mac_address }
        }),
        partitions: PARTITIONS,
        uuid,
    };
    // The body has only strings and integers, so serde_json does not fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Returns an address of Espressif's 24:6F:28, two bytes of the UUID's last group, and the number of the interface.
fn mac_address(uuid: &str, interface: u8) -> String {
    let tail = uuid.get(uuid.len().saturating_sub(4)..).unwrap_or_default();
    let (high, low) = tail.split_at_checked(2).unwrap_or_default();
    format!("24:6F:28:{high}:{low}:{interface:02X}").to_uppercase()
}
